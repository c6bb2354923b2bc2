import { render } from 'preact';
import { Page } from './page.tsx';
import { start } from './store.ts';

const root = document.getElementById('app');
if (root === null) throw new Error('the page has no #app');
root.replaceChildren();
start();
render(<Page />, root);
