import type { IndexUpdate, IndexView } from '@runlog/client/index-channel';
import type { ChannelRefusal } from '@runlog/client/run-update';
import type { StreamClient } from '@runlog/client/stream-client';

/** Follows one index view after the other. */
export interface ViewFollower<View extends IndexView> extends Disposable {
  /**
   * Asks for a view instead of the one before. While an answer is awaited only the newest wish is kept, so whoever types or
   * scrolls fast asks no faster than the server answers. Null: none.
   */
  ask(view: View | null): void;
}

export function followViews<View extends IndexView>(of: {
  client: Pick<StreamClient, 'subscribeIndex'>;
  /** A client follows a glob by one view at a time. */
  glob: string;
  onUpdate: (update: IndexUpdate, view: View) => void;
  onRefused: (refusal: ChannelRefusal) => void;
}): ViewFollower<View> {
  const { client, glob, onUpdate, onRefused } = of;
  let end: (() => void) | null = null;
  let asked: View | null = null;
  let isAwaited = false;
  let wish: { view: View | null } | null = null;

  const start = (view: View | null) => {
    end?.();
    end = null;
    asked = view;
    wish = null;
    isAwaited = view !== null;
    if (view === null) return;
    end = client.subscribeIndex(
      glob,
      (update) => {
        if (asked !== view) return;
        isAwaited = false;
        if (update.kind === 'refused') onRefused(update);
        else onUpdate(update, view);
        if (wish !== null) start(wish.view);
      },
      view,
    );
  };
  return {
    ask(view) {
      if (JSON.stringify(wish === null ? asked : wish.view) === JSON.stringify(view)) return;
      if (isAwaited) wish = { view };
      else start(view);
    },
    [Symbol.dispose]() {
      start(null);
    },
  };
}
