import type { EncodedFrame } from '../fan-out/encoded-frame.ts';
import type { MessageSink } from '../send/sink.ts';

/** A sink for tests that is handed its messages as text, a frame a line. */
export function textSink(sink: {
  send(message: string, written: () => void): void;
  bufferedBytes(): number;
}): MessageSink {
  return {
    pack({ text }: EncodedFrame, waiting: Buffer[]) {
      const bytes = Buffer.from(text);
      waiting.push(bytes);
      return bytes.length;
    },
    send: (packed, written) => sink.send(packed.map(String).join('\n'), written),
    get bufferedBytes() {
      return sink.bufferedBytes();
    },
  };
}
