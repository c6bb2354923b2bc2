import { afterEach, expect, it } from 'vitest';
import { stateCounts } from '../../../../test/support/index-factory.ts';
import { type MadeUpConnection, madeUpConnection } from '../made-up/made-up-connection.ts';
import { createFleetStore, type FleetStore } from './fleet-store.ts';

let store: FleetStore;
afterEach(() => store[Symbol.dispose]());

const rowsOf = (connection: MadeUpConnection) => connection.indexes.filter(({ glob }) => glob === '*');

it('says why the gateway shows no runs, until it shows some', () => {
  const connection = madeUpConnection();
  store = createFleetStore(connection);
  const [asked] = rowsOf(connection);
  expect(store.refusal.value).toBeNull();
  asked!.listener({ kind: 'refused', code: 'forbidden', message: 'this key may publish, not view' });
  expect(store.refusal.value).toBe('this key may publish, not view');
  asked!.listener({ kind: 'rows', rows: [], total: 0, counts: stateCounts(), groups: [] });
  expect(store.refusal.value).toBeNull();
  expect(store.total.value).toBe(0);
});
