import { expect, test } from "vitest";
import { scratchFolder } from "../../src/node/scratch-folder.ts";

test("arrays come back as they were stored, each by itself", async () => {
  const scratch = scratchFolder();
  const [one, other] = [await scratch.put(Float32Array.of(1, 2, 3)), await scratch.put(Float32Array.of(4))];
  expect(await one.read()).toEqual(Float32Array.of(1, 2, 3));
  await one.write(Float32Array.of(5, 6, 7));
  const into = new Float32Array(5);
  await one.readInto(into.subarray(1, 4));
  expect(into).toEqual(Float32Array.of(0, 5, 6, 7, 0));
  expect(await other.read()).toEqual(Float32Array.of(4));
  await scratch.clear();
});

test("what is taken is gone, and so is everything once cleared", async () => {
  const scratch = scratchFolder();
  const [taken, left] = [await scratch.put(Float32Array.of(1)), await scratch.put(Float32Array.of(2))];
  expect(await taken.take()).toEqual(Float32Array.of(1));
  await expect(taken.read()).rejects.toThrow("ENOENT");
  await scratch.clear();
  await expect(left.read()).rejects.toThrow("ENOENT");
  const again = await scratch.put(Float32Array.of(3));
  expect(await again.take()).toEqual(Float32Array.of(3));
  await scratch.clear();
});

test("an array keeps its length", async () => {
  const scratch = scratchFolder();
  const stored = await scratch.put(Float32Array.of(1, 2));
  await expect(stored.write(Float32Array.of(1))).rejects.toThrow(RangeError);
  await expect(stored.readInto(new Float32Array(3))).rejects.toThrow(RangeError);
  await scratch.clear();
});
