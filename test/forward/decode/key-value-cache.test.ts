import { expect, test } from "vitest";
import { KeyValueCache, tokenBytes } from "../../../src/forward/decode/key-value-cache.ts";

/** Tokens `start` to `end` of two heads of two numbers: the number tells head, token and place. */
function tokens(start: number, end: number, sign = 1): Float32Array {
  const numbers = [0, 1].flatMap((head) =>
    Array.from({ length: end - start }, (_, i) =>
      [0, 1].map((place) => sign * (1000 * head + 2 * (start + i) + place)),
    ),
  );
  return Float32Array.from(numbers.flat());
}

test("holds what was appended in the order of the tokens, head by head, and zeros after it", () => {
  const cache = new KeyValueCache("f32", 1, 2, 2);
  cache.append(tokens(0, 3), tokens(0, 3, -1), 3);
  cache.append(tokens(3, 4), tokens(3, 4, -1), 1);
  expect(cache.length).toBe(4);
  const { data, shape } = cache.keys;
  expect(shape).toEqual([1, 2, cache.capacity, 2]);
  const head = cache.capacity * 2;
  expect([...data.subarray(0, 10)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 0]);
  expect([...data.subarray(head, head + 10)]).toEqual([1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 0, 0]);
  expect(cache.values.data[head + 7]).toBe(-1007);
});

test("grows beyond its first size without losing a token", () => {
  const cache = new KeyValueCache("f32", 1, 2, 2);
  const first = cache.capacity;
  for (let i = 0; i < first + 5; i++) cache.append(tokens(i, i + 1), tokens(i, i + 1, -1), 1);
  expect(cache.capacity).toBeGreaterThan(first);
  const head = cache.capacity * 2;
  const length = 2 * (first + 5);
  expect(cache.keys.data.subarray(head, head + length)).toEqual(tokens(0, first + 5).subarray(length));
});

test("in f16 it holds the bits that it was given, in half the bytes", () => {
  const [whole, half] = [new KeyValueCache("f32", 1, 2, 2), new KeyValueCache("f16", 1, 2, 2)];
  half.append(Uint16Array.of(1, 2, 0xfbff, 4), Uint16Array.of(5, 6, 7, 8), 1);
  const head = half.capacity * 2;
  expect([...half.keys.data.subarray(0, 3)]).toEqual([1, 2, 0]);
  expect([...half.keys.data.subarray(head, head + 3)]).toEqual([0xfbff, 4, 0]);
  expect(half.keys.data.byteLength).toBe(whole.keys.data.byteLength / 2);
  for (const [type, cache] of Object.entries({ f32: whole, f16: half }))
    expect(tokenBytes(type as "f32" | "f16", 2, 2)).toBe((2 * cache.keys.data.byteLength) / cache.capacity);
});
