import { describe, expect, test } from "vitest";
import { countParameters } from "../../src/model/spec/parameters.ts";
import { resized } from "../../src/model/spec/parts.ts";
import { expectedPeakBytes } from "../../src/tasks/expected-memory.ts";
import { methodOf } from "../helpers/method.ts";
import { tinySpec } from "../helpers/specs.ts";

const spec = tinySpec("llama");
const BASE = 300 * 2 ** 20;

const bytes = (options: object, { of = spec, generates = true } = {}): number => {
  const given = { widths: "equal", calibration: [{ name: "a", text: "b" }], ...options };
  return expectedPeakBytes({ spec: of, method: methodOf(given, of), generates });
};

describe("the memory that a run will take", () => {
  test("is one layer twice, states, activations, matrices of the neurons and what enters them", () => {
    const layer = countParameters(spec).layers[0]!.total;
    const tokens = 100 * 256;
    const activations = 2048 * (4 * 80 + 8 * 32);
    const expected = BASE + 4 * (2 * layer + tokens * 32 + activations + tokens * 80) + 24 * 80 ** 2;
    expect(bytes({ preset: "osscar", samples: 100 })).toBe(expected);
  });

  test("has a second stream of states where a recovery aims at the dense model", () => {
    const plain = bytes({ preset: "osscar", samples: 100 });
    expect(bytes({ samples: 100, ownText: 0 }) - plain).toBe(4 * 100 * 256 * 32);
  });

  test("has the inputs of the neurons anew, and one more Gram matrix, where text is so scarce that some is held out", () => {
    const wide = { ...spec, layers: spec.layers.map((layer) => resized(layer, { intermediateSize: 4096 })) };
    const few = { samples: 4, ownText: 0 };
    const [plain, scarce] = [bytes({ preset: "osscar", ...few }, { of: wide }), bytes(few, { of: wide })];
    expect(scarce - plain).toBe(4 * 1024 * 32 + 4 * 4096 ** 2 - 4 * 1024 * 4096);
  });

  test("grows with the windows until their states are spilled and their inputs computed anew", () => {
    expect(bytes({ samples: 512 })).toBeGreaterThan(bytes({ samples: 256 }));
    expect(bytes({ samples: 65536 })).toBe(bytes({ samples: 60000 }));
  });

  test("is all weights and the caches where a large model writes text of its own", () => {
    const large = { ...spec, vocabSize: 2e6 };
    const caches = (windows: number): number => windows * 3 * 2 * 4 * 2 * 8 * 256;
    const weights = 4 * countParameters(large).total;
    expect(bytes({ samples: 64 }, { of: large })).toBe(BASE + weights + caches(32)); // half of the windows
    expect(bytes({ samples: 64, calibration: [] }, { of: large })).toBe(BASE + weights + caches(64));
    expect(bytes({ samples: 64 }, { of: large, generates: false })).toBe(bytes({ samples: 64 }));
  });
});
