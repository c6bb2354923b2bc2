import type { Pages } from './scripted-server.ts';

/** A client of the stream, in whatever process it lives. */
export interface ClientUnderTest {
  /** Gives it one command, which is a JSON object. */
  tell(command: object): void;
  /** Resolves when it is gone; a process is ended if it does not end by itself. */
  stop(): Promise<void>;
}

/** A way of starting clients. */
export interface ClientStarter {
  /** What the scripted server must hand out for it. */
  readonly pages: Pages;
  /** `onReport` is called with each line that the client writes, parsed; `onExit` once when it ends by itself. */
  start(options: {
    origin: string;
    onReport: (report: unknown) => void;
    onExit: (reason: string) => void;
  }): Promise<ClientUnderTest>;
}
