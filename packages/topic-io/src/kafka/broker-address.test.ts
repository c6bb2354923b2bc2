import { describe, expect, it } from 'vitest';
import { addressFault, addressOf, splitAddress } from './broker-address.ts';

describe('the address of a broker', () => {
  it.each([
    ['kafka-1.example:9092', { host: 'kafka-1.example', port: 9092 }],
    ['127.0.0.1:9092', { host: '127.0.0.1', port: 9092 }],
    ['[::1]:9092', { host: '::1', port: 9092 }],
    ['[2001:db8::a:1]:19092', { host: '2001:db8::a:1', port: 19092 }],
  ])('%s', (address, parts) => {
    expect(splitAddress(address)).toEqual(parts);
    expect(addressOf(parts)).toBe(address);
    expect(addressFault(address)).toBeNull();
  });

  it.each([
    ['kafka', 'it has no port, such as kafka:9092'],
    ['kafka://kafka:9092', 'leave out kafka://, it is host:port'],
    ['SASL_SSL://kafka:9092', 'leave out SASL_SSL://, it is host:port'],
    ['::1', 'an IPv6 address goes in brackets, such as [::1]:9092'],
    ['fe80::1:9092', 'an IPv6 address goes in brackets, such as [::1]:9092'],
    ['[kafka]:9092', 'it is not host:port'],
    ['[::1]', 'it is not host:port'],
    ['kafka:', 'it is not host:port'],
    ['kafka:http', 'it is not host:port'],
    ['ada@kafka:9092', 'it is not host:port'],
    ['kafka:9092/topic', 'it is not host:port'],
    ['kafka:0', 'a port is a number from 1 to 65535'],
    ['kafka:65536', 'a port is a number from 1 to 65535'],
  ])('%s is refused, and it is said why', (text, fault) => {
    expect(addressFault(text)).toBe(fault);
  });
});
