import { getHeapStatistics } from "node:v8";
import { expect, test } from "vitest";
import { collectGarbage } from "../../src/node/garbage.ts";

const MEGABYTE = 2 ** 20;
const arrayBytes = (): number => getHeapStatistics().external_memory;

test("arrays that come and go do not add up", async () => {
  const before = arrayBytes();
  let most = 0;
  for (let i = 0; i < 500; i++) {
    new Float32Array(MEGABYTE).fill(i);
    collectGarbage();
    most = Math.max(most, arrayBytes() - before);
    if (i % 50 === 0) await new Promise(setImmediate);
  }
  expect(most).toBeLessThan(256 * MEGABYTE);
});

test("nor do those that have lived for a while", () => {
  const before = arrayBytes();
  const held: Float32Array[] = [];
  for (let i = 0; i < 200; i++) {
    held[i % 5] = new Float32Array(4 * MEGABYTE).fill(i);
    collectGarbage();
  }
  expect(held.map((array) => array[0])).toEqual([195, 196, 197, 198, 199]);
  expect(arrayBytes() - before).toBeLessThan(512 * MEGABYTE);
});
