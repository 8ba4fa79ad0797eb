import { expect, test } from "vitest";
import { collectAllGarbage } from "../../src/node/garbage.ts";
import { residentScratch } from "../../src/node/resident-scratch.ts";
import { scratchFolder } from "../../src/node/scratch-folder.ts";

const values = Float32Array.of(1, -2.5, 3, 4e-30, 5);

/** Space of so many bytes before the disk, and how many arrays have come to that. */
function watched(bytes: number) {
  const folder = scratchFolder();
  const seen = { beyond: 0 };
  const put: typeof folder.put = (data) => {
    seen.beyond++;
    return folder.put(data);
  };
  return { scratch: residentScratch(bytes, { ...folder, put }), seen };
}

test("what is put aside stays in memory as long as it fits, and what is taken makes room", async () => {
  const { scratch, seen } = watched(2 * values.byteLength);
  const arrays = [await scratch.put(values), await scratch.put(values), await scratch.put(values)];
  expect(seen.beyond).toBe(1);
  for (const stored of arrays) expect(await stored.read()).toEqual(values);
  expect(await arrays[0]!.take()).toEqual(values);
  await expect(arrays[0]!.read()).rejects.toThrow("taken");
  await scratch.put(values);
  expect(seen.beyond).toBe(1);
  await scratch.put(values);
  expect(seen.beyond).toBe(2);
  await scratch.clear();
});

test("an array in memory is a copy, and takes other values in the place of its own", async () => {
  const { scratch } = watched(1000);
  const given = values.slice();
  const stored = await scratch.put(given);
  given.fill(7);
  (await stored.read()).fill(8);
  expect(await stored.read()).toEqual(values);
  await stored.write(values.map((value) => 2 * value));
  const into = new Float32Array(values.length);
  await stored.readInto(into);
  expect(into).toEqual(values.map((value) => 2 * value));
});

test.each([1000, 0])("values are rounded to bf16 in half the room, with %d bytes of memory", async (bytes) => {
  const { scratch } = watched(bytes);
  const stored = await scratch.putRounded(Float32Array.of(1, 1 + 2 ** -7, 1 + 2 ** -9, -3e38, 1e-10));
  const read = await stored.take();
  expect([...read.subarray(0, 3)]).toEqual([1, 1 + 2 ** -7, 1]);
  expect(read[3]! / -3e38).toBeCloseTo(1, 2);
  expect(read[4]! / 1e-10).toBeCloseTo(1, 2);
  await scratch.clear();
});

test("two rounded arrays have the room of one", async () => {
  const { scratch, seen } = watched(8 * 4);
  for (let i = 0; i < 2; i++) await scratch.putRounded(new Float32Array(8));
  expect(seen.beyond).toBe(0);
  await scratch.putRounded(new Float32Array(8));
  expect(seen.beyond).toBe(1);
  await scratch.clear();
});

test("what was handed to it does not stay beside what it keeps", async () => {
  const { scratch } = watched(2 ** 20);
  const putOne = async () => {
    const handed = Float32Array.of(1, 2, 3);
    const stored = await scratch.put(handed);
    return { stored, handed: new WeakRef(handed) };
  };
  const { stored, handed } = await putOne();
  await new Promise(setImmediate);
  collectAllGarbage();
  expect(handed.deref()).toBeUndefined();
  expect(await stored.read()).toEqual(Float32Array.of(1, 2, 3));
  await scratch.clear();
});
