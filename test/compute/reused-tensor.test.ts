import { expect, test } from "vitest";
import { ReusedTensor, ReusedTensors } from "../../src/compute/reused-tensor.ts";

test("tensors that follow one another share memory, which grows when one is larger", () => {
  const reused = new ReusedTensor();
  const large = reused.of([3, 4]);
  large.data.fill(7);
  const small = reused.of([2, 5]);
  expect([small.shape, small.data.length]).toEqual([[2, 5], 10]);
  expect(small.data.buffer).toBe(large.data.buffer);
  expect(reused.of([4, 4]).data.buffer).not.toBe(large.data.buffer);
});

test("tensors of different numbers do not, and after a release none do", () => {
  const reused = new ReusedTensors();
  const first = reused.of(0, [4]);
  expect(reused.of(1, [4]).data.buffer).not.toBe(first.data.buffer);
  expect(reused.of(0, [2]).data.buffer).toBe(first.data.buffer);
  reused.release();
  expect(reused.of(0, [2]).data.buffer).not.toBe(first.data.buffer);
});
