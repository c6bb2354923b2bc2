import { connection } from './connection.ts';

/** Asks for a key that may view; it is kept for this tab. */
export function KeyPrompt() {
  const { keyWanted, useKey } = connection();
  return (
    <form
      class="key-prompt"
      onSubmit={(event) => {
        event.preventDefault();
        const key = String(new FormData(event.currentTarget).get('key') ?? '').trim();
        if (key !== '') useKey(key);
      }}
    >
      <label for="key">
        {keyWanted.value === 'refused'
          ? 'This key is not valid, or was revoked. Enter another one:'
          : 'This gateway shows runs to holders of a key. Enter yours:'}
      </label>
      <input id="key" name="key" type="password" autocomplete="off" spellcheck={false} autofocus />
      <button type="submit">Show runs</button>
    </form>
  );
}
