import { messageOf } from '../error-message.ts';
import type { Logger } from '../logger.ts';
import { readTextFile } from '../text-file.ts';

/**
 * A value that is made of files and follows them: they are read at each use, since they are small and connections are
 * rare. So it does not matter how a file is replaced: written over, renamed, or behind a link that moves, as in
 * Kubernetes. While a file is missing or does not make sense, which it may during a replacement, the former value stays,
 * and a line says so once.
 */
export class FreshFiles<T> {
  readonly #what: string;
  readonly #files: readonly string[];
  readonly #make: (texts: readonly string[]) => T;
  readonly #logger: Logger;
  #made: { readonly texts: readonly string[]; readonly value: T } | null = null;
  #isBrokenSaid = false;

  /** `make` throws if the texts do not make sense. Its message must not quote them. */
  constructor(use: {
    what: string;
    files: readonly string[];
    make: (texts: readonly string[]) => T;
    logger: Logger;
  }) {
    this.#what = use.what;
    this.#files = use.files;
    this.#make = use.make;
    this.#logger = use.logger;
  }

  /** Throws only if the files have never made sense. */
  get(): T {
    const former = this.#made;
    try {
      const texts = this.#files.map(readTextFile);
      if (former !== null && texts.every((text, at) => text === former.texts[at])) {
        this.#isBrokenSaid = false;
        return former.value;
      }
      this.#made = { texts, value: this.#make(texts) };
    } catch (error) {
      if (former === null) throw error;
      this.#sayBroken(error);
      return former.value;
    }
    this.#isBrokenSaid = false;
    if (former !== null) {
      this.#logger.info({ what: this.#what, files: this.#files }, 'replaced files are used from now on');
    }
    return this.#made.value;
  }

  #sayBroken(error: unknown): void {
    if (this.#isBrokenSaid) return;
    this.#isBrokenSaid = true;
    this.#logger.warn(
      { what: this.#what, files: this.#files, reason: messageOf(error) },
      'replaced files cannot be used; the former content stays in use',
    );
  }
}
