import { expect, test } from "vitest";
import type { RopeSpec } from "../../../src/model/spec/rope.ts";
import { inverseFrequencies, rotaryTable } from "../../../src/model/spec/rope.ts";

// Expected numbers: transformers 5.24.0, in Python
//   config = LlamaConfig(num_attention_heads=4, head_dim=dim, hidden_size=4 * dim, rope_parameters={...})
//   rope = LlamaRotaryEmbedding(config); rope.inv_freq; rope(torch.zeros(1), torch.tensor([[position]]))
const llama31: RopeSpec = {
  kind: "llama3",
  theta: 500000,
  factor: 8,
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalMaxPositionEmbeddings: 8192,
};

function expectClose(actual: Float32Array, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(2e-7 * Math.abs(value));
  });
}

test("plain inverse frequencies are powers of the base", () => {
  expectClose(
    inverseFrequencies({ kind: "default", theta: 10000 }, 16),
    [1.0, 0.316227764, 0.100000001, 0.0316227786, 0.00999999978, 0.00316227786, 0.00100000005, 0.000316227786],
  );
});

test("linear scaling divides every frequency", () => {
  expectClose(
    inverseFrequencies({ kind: "linear", theta: 10000, factor: 4 }, 16),
    [0.25, 0.079056941, 0.0250000004, 0.00790569466, 0.00249999994, 0.000790569466, 0.000250000012, 7.90569466e-5],
  );
});

test("llama3 scaling keeps short wavelengths, stretches long ones and interpolates between", () => {
  expectClose(
    inverseFrequencies(llama31, 16),
    [1.0, 0.193922758, 0.0376060307, 0.00729266508, 0.000524846022, 3.42810235e-5, 6.64786967e-6, 1.28917316e-6],
  );
  expectClose(
    inverseFrequencies({ ...llama31, factor: 32 }, 32),
    [
      1.0, 0.440366626, 0.193922758, 0.0853971019, 0.0376060307, 0.0165604409, 0.00729266508, 0.00321144611,
      0.000429556705, 1.94616387e-5, 8.57025589e-6, 3.77405445e-6, 1.66196742e-6, 7.31874934e-7, 3.22293289e-7,
      1.41927202e-7,
    ],
  );
});

test("a table has a row for each position, its two halves equal", () => {
  const { cos, sin } = rotaryTable({ ...llama31, originalMaxPositionEmbeddings: 32 }, 8, [1, 5000]);
  expect(cos.shape).toEqual([2, 8]);
  const cosAtOne = [0.540302336, 0.999988973, 1.0, 1.0];
  const sinAtOne = [0.841470957, 0.00470073661, 0.000176776681, 6.64786967e-6];
  expectClose(cos.data.subarray(0, 8), [...cosAtOne, ...cosAtOne]);
  expectClose(sin.data.subarray(0, 8), [...sinAtOne, ...sinAtOne]);
  // Angles go up to 5000 radians here: only with transformers' own rounding do the tables agree to the last digit.
  const cosFar = [0.154668406, -0.0581431724, 0.634153247, 0.999447644];
  const sinFar = [-0.987966418, -0.998308241, 0.773207366, 0.0332332291];
  expectClose(cos.data.subarray(8), [...cosFar, ...cosFar]);
  expectClose(sin.data.subarray(8), [...sinFar, ...sinFar]);
});

test("position 0 turns nothing", () => {
  const { cos, sin } = rotaryTable({ kind: "default", theta: 10000 }, 4, [0]);
  expect([...cos.data]).toEqual([1, 1, 1, 1]);
  expect([...sin.data]).toEqual([0, 0, 0, 0]);
});
