import { describe, expect, it } from 'vitest';
import { addressOf, splitAddress } from './broker-address.ts';

describe('the address of a broker', () => {
  it.each([
    ['kafka-1.example:9092', { host: 'kafka-1.example', port: 9092 }],
    ['127.0.0.1:9092', { host: '127.0.0.1', port: 9092 }],
    ['[::1]:9092', { host: '::1', port: 9092 }],
    ['[2001:db8::a:1]:19092', { host: '2001:db8::a:1', port: 19092 }],
  ])('%s', (address, parts) => {
    expect(splitAddress(address)).toEqual(parts);
    expect(addressOf(parts)).toBe(address);
  });
});
