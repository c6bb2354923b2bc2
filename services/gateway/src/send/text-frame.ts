const FIN_TEXT = 0x81;

/**
 * Returns a server's WebSocket frame (RFC 6455) with this text, ready to be written. Servers do not mask, so the same
 * bytes serve every client.
 */
export function textFrame(text: string): Buffer {
  return openTextFrame(text, 0);
}

/** Returns the bytes of a frame whose text begins so and goes on for as many bytes as `bytesToCome` says. */
export function openTextFrame(begin: string, bytesToCome: number): Buffer {
  const beginBytes = Buffer.byteLength(begin);
  const length = beginBytes + bytesToCome;
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headBytes + beginBytes);
  frame[0] = FIN_TEXT;
  if (headBytes === 2) frame[1] = length;
  else if (headBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(begin, headBytes);
  return frame;
}
