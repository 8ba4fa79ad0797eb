import { describe, expect, test } from "vitest";
import { CompError } from "../../src/errors.ts";
import { countParameters } from "../../src/model/spec/parameters.ts";
import { resized } from "../../src/model/spec/parts.ts";
import { FACTOR_TOKENS } from "../../src/sensitivity/text-lengths.ts";
import { asideBytes, cacheBytes, decodingBytes, leastBytes, type Work } from "../../src/tasks/memory-needs.ts";
import { planMemory } from "../../src/tasks/memory-plan.ts";
import { methodOf } from "../helpers/method.ts";
import { tinySpec } from "../helpers/specs.ts";

const spec = tinySpec("llama");
const PLENTY = 64e9;

function workOf(options: object, { of = spec, copies = false } = {}): Work {
  const given = { widths: "equal", calibration: [{ name: "a", text: "b" }], ...options };
  return { spec: of, method: methodOf(given, of), copies };
}

/** 8,192 windows of 256 tokens, hidden states of 32 elements. */
const MANY = { preset: "osscar", samples: 8192 };
const STREAM = 4 * 8192 * 256 * 32;

describe("what stays in memory", () => {
  const work = workOf(MANY);
  const least = leastBytes(work);
  const under = (spare: number) => planMemory(work, least + spare, PLENTY);

  test("is nothing under the least limit", () => {
    expect(under(0)).toMatchObject({ states: 0, expectedPeakBytes: least });
  });

  test("is both streams of states as soon as they fit, and not one alone", () => {
    expect(under(2 * STREAM - 1).states).toBe(0);
    // a recovery without a dense stream takes but one
    expect(under(2 * STREAM)).toMatchObject({ states: STREAM, expectedPeakBytes: least + STREAM });
  });

  test("is what is put aside, as far as the limit allows, but no more than there is", () => {
    const swept = workOf({ preset: "best", samples: 600 });
    const aside = (spare: number) => planMemory(swept, leastBytes(swept) + spare, PLENTY).aside;
    const { entered } = asideBytes(swept);
    expect(entered).toBe(2 * spec.layers.length * FACTOR_TOKENS * spec.hiddenSize);
    expect([aside(0), aside(1000), aside(1e9)]).toEqual([0, 1000, entered]);
    expect(planMemory(work, least + 1e9, PLENTY).aside).toBe(0); // nothing is swept backward
  });

  test("never makes the expected peak larger than the limit", () => {
    for (const preset of ["osscar", "best", "shortgpt"])
      for (const samples of [4, 600, 8192])
        for (const spare of [0, 1e8, 1e9, 1e10]) {
          const one = workOf({ preset, samples });
          const limit = leastBytes(one) + spare;
          expect(planMemory(one, limit, PLENTY).expectedPeakBytes).toBeLessThanOrEqual(limit);
        }
  });
});

describe("the least", () => {
  const wide = { ...spec, layers: spec.layers.map((layer) => resized(layer, { intermediateSize: 8192 })) };

  test("does not grow with the text beyond a batch, but with the width", () => {
    const least = (samples: number) => leastBytes(workOf({ preset: "osscar", samples }));
    expect(least(16384)).toBe(least(8192)); // too many for what enters the projections to be kept
    const narrow = workOf({ preset: "osscar" });
    expect(leastBytes({ ...narrow, spec: wide }) - leastBytes(narrow)).toBeGreaterThan(23 * 8192 ** 2);
  });

  test("has one more Gram matrix where text is so scarce that some is held out", () => {
    const least = (samples: number) => leastBytes(workOf({ samples, ownText: 0 }, { of: wide }));
    expect(least(319) - least(320)).toBe(4 * 8192 ** 2); // what enters these is too much to be kept either way
  });

  test("of a copy is two forms of a layer", () => {
    const [copy, whole] = [workOf({}, { of: wide, copies: true }), workOf({}, { of: wide })];
    expect(leastBytes(copy)).toBeLessThan(leastBytes(whole));
    expect(planMemory(copy, undefined, PLENTY)).toMatchObject({ weights: 0, expectedPeakBytes: leastBytes(copy) });
  });

  test("is told where a limit does not suffice, in a figure that then does", () => {
    const work = workOf({}, { of: wide });
    const refusal = (): CompError => {
      try {
        planMemory(work, 5e7, PLENTY);
      } catch (error) {
        if (error instanceof CompError) return error;
      }
      throw new Error("the limit was taken");
    };
    const { kind, message, hint } = refusal();
    expect(kind).toBe("budget");
    expect(message).toMatch(
      /^pruning this model as asked takes at least 2\.\d GB of memory, --memory allows 50\.0 MB$/,
    );
    const enough = 1e9 * Number(/^give --memory ([\d.]+)GB$/.exec(hint!)![1]);
    expect(planMemory(work, enough, PLENTY).expectedPeakBytes).toBeLessThanOrEqual(enough);
  });
});

describe("text of the model's own", () => {
  const large = { ...spec, vocabSize: 2e6 };
  const weights = 4 * countParameters(large).total;
  const work = workOf({ samples: 64 }, { of: large });
  const needed = decodingBytes(work) + weights;

  test("is written where all weights and one sample fit, and as many together as then fit", () => {
    const plan = (bytes: number) => planMemory(work, bytes, PLENTY);
    expect(plan(needed + cacheBytes(work, 1) - 1).weights).toBeLessThan(weights);
    const { caches, ...least } = plan(needed + cacheBytes(work, 1));
    expect([least.weights, caches]).toEqual([weights, cacheBytes(work, 1)]);
    expect(plan(needed + cacheBytes(work, 20)).caches).toBe(cacheBytes(work, 20));
  });

  test("counts in the expected peak, of the windows that are the model's own", () => {
    const peak = (options: object, free = PLENTY) =>
      planMemory(workOf({ samples: 64, ...options }, { of: large }), undefined, free).expectedPeakBytes;
    expect(peak({})).toBe(needed + cacheBytes(work, 32)); // half of the windows
    expect(peak({ calibration: [] })).toBe(needed + cacheBytes(work, 64));
    expect(peak({ ownText: 0 })).toBeLessThan(needed);
    expect(peak({}, 0)).toBe(peak({ ownText: 0 }, 0));
  });

  test("depends on what is free only below a gibibyte of weights, where no limit is given", () => {
    expect(planMemory(work, undefined, PLENTY).weights).toBe(2 ** 30);
    expect(planMemory(work, undefined, 2e8).weights).toBeLessThanOrEqual(1e8);
  });
});
