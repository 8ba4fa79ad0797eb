import { expect, test } from "vitest";
import { paretoFront, type Rival, renderVerdict } from "../../src/report/verdict.ts";

const rival = (
  kind: Rival["kind"],
  name: string,
  bytes: number,
  klDivergence: number | undefined,
  bits = 1,
): Rival => ({
  ...{ kind, name, bytes, klDivergence, bitsPerByte: bits },
  isCollapsed: false,
});

const dense = rival("dense", "dense", 269e6, 0);
const q8 = rival("quantized", "q8_0", 145e6, 0.001);
const q4 = rival("quantized", "q4_k_m", 105e6, 0.05);
const pruned = rival("pruned", "best at 20.0 %", 215e6, 0.3);

test("on the front is what nothing smaller or as small beats", () => {
  const worse = rival("quantized", "q4_0", 105e6, 0.08);
  expect(paretoFront([worse, q4, pruned, dense, q8])).toEqual([dense, q8, q4]);
});

test("what has collapsed is no choice, however small", () => {
  const collapsed = { ...rival("quantized", "q2_k", 80e6, 3), isCollapsed: true };
  expect(paretoFront([dense, collapsed])).toEqual([dense]);
  expect(renderVerdict([collapsed])).toBe("Take none of these: all have collapsed.");
});

test("models of different tokenizers are compared by bits per byte", () => {
  const other = rival("other", "next-smaller", 130e6, undefined, 1.02);
  const q8Bits = { ...q8, bitsPerByte: 1.01 };
  const q4Bits = { ...q4, bitsPerByte: 1.05 };
  const large = rival("other", "larger", 200e6, undefined, 1.2);
  expect(paretoFront([dense, q8Bits, q4Bits, other, large])).toEqual([dense, q8Bits, other, q4Bits]);
});

test("where pruning is beaten at every size the sentence says so", () => {
  expect(renderVerdict([dense, pruned, q8, q4])).toBe(
    "Do not prune, quantize: take the dense model where 269.0 MB fit, the dense model in q8_0 from 145.0 MB, the dense model in q4_k_m from 105.0 MB; nothing here is of use below 105.0 MB.",
  );
});

test("where a pruned model is the best at its size it is named", () => {
  const small = rival("pruned", "best, q4_k_m at 20.0 %", 90e6, 0.3);
  expect(renderVerdict([q4, small])).toBe(
    "Prune only where it is named here: take the dense model in q4_k_m where 105.0 MB fit, best, q4_k_m at 20.0 % from 90.0 MB; nothing here is of use below 90.0 MB.",
  );
  expect(renderVerdict([dense, small])).toMatch(/^Prune: take /);
});
