import { describe, expect, test } from "vitest";
import { CompError } from "../../src/errors.ts";
import { countParameters } from "../../src/model/spec/parameters.ts";
import { resized } from "../../src/model/spec/parts.ts";
import { FACTOR_TOKENS } from "../../src/sensitivity/text-lengths.ts";
import { asideBytes, cacheBytes, decodingBytes, leastBytes, type Work } from "../../src/tasks/memory-needs.ts";
import { planMemory } from "../../src/tasks/memory-plan.ts";
import { pruningOperations, readingOperations } from "../../src/tasks/operation-counts.ts";
import { methodOf } from "../helpers/method.ts";
import { tinySpec } from "../helpers/specs.ts";

const spec = tinySpec("llama");
const PLENTY = 64e9;

function workOf(options: object, { of = spec, copies = false, asksOwnText = false } = {}): Work {
  const given = { widths: "equal", calibration: [{ name: "a", text: "b" }], ...options };
  return { spec: of, method: methodOf(given, of), copies, asksOwnText };
}

/** 8,192 windows of 256 tokens, hidden states of 32 elements. */
const MANY = { preset: "osscar", samples: 8192 };
const STREAM = 4 * 8192 * 256 * 32;

test("text that the finished model generates for the probes counts, where its weights are held", () => {
  const work = workOf({ preset: "osscar", samples: 8, ownText: 0 });
  const large = { ...work, spec: { ...spec, vocabSize: 2 ** 19 } };
  const peak = (probes: boolean) => planMemory({ ...large, probes }, undefined, PLENTY).expectedPeakBytes;
  expect(peak(true)).toBeGreaterThanOrEqual(decodingBytes(large) + 4 * countParameters(large.spec).total);
  expect(peak(false)).toBeLessThan(peak(true));
});

describe("what stays in memory", () => {
  const work = workOf(MANY);
  const least = leastBytes(work, true);
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
    const aside = (spare: number) => planMemory(swept, leastBytes(swept, true) + spare, PLENTY).aside;
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
          const limit = leastBytes(one) + spare; // from there on layers are held as a whole, where that takes more
          expect(planMemory(one, limit, PLENTY).expectedPeakBytes).toBeLessThanOrEqual(limit);
        }
  });
});

describe("the least", () => {
  const wide = { ...spec, layers: spec.layers.map((layer) => resized(layer, { intermediateSize: 8192 })) };

  test("does not grow with the text beyond a batch, but with the width", () => {
    const least = (samples: number) => leastBytes(workOf({ preset: "osscar", samples }), true);
    expect(least(16384)).toBe(least(8192)); // too many for what enters the projections to be kept
    const narrow = workOf({ preset: "osscar" });
    expect(leastBytes({ ...narrow, spec: wide }, true) - leastBytes(narrow, true)).toBeGreaterThan(23 * 8192 ** 2);
  });

  test("has one more Gram matrix where text is so scarce that some is held out", () => {
    const least = (samples: number) => leastBytes(workOf({ samples, ownText: 0 }, { of: wide }), true);
    expect(least(319) - least(320)).toBeCloseTo(1.03 * 4 * 8192 ** 2, 0); // what enters these is too much to be kept either way
  });

  test("is less where a layer is read part by part: a Gram matrix, an inverse in f64 and its product at a time", () => {
    const work = workOf({ preset: "osscar" }, { of: wide });
    const [parts, whole] = [leastBytes(work), leastBytes(work, true)];
    expect(whole - parts).toBeGreaterThan(8 * 8192 ** 2);
    expect(parts).toBeGreaterThan(16 * 8192 ** 2);
    expect(planMemory(work, whole, PLENTY)).toMatchObject({ wholeLayers: true, expectedPeakBytes: whole });
    expect(planMemory(work, whole - 1, PLENTY).wholeLayers).toBe(false);
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
      /^pruning this model as asked takes at least 1\.\d GB of memory, --memory allows 50\.0 MB$/,
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
  const plan = (bytes: number, of: Work = work) => planMemory(of, bytes, PLENTY);

  test("is written with all weights in memory where these and one sample fit, and as many together as then fit", () => {
    const { ownText, caches, ...least } = plan(needed + cacheBytes(work, 1));
    expect([ownText, least.weights, caches]).toEqual(["held", weights, cacheBytes(work, 1)]);
    expect(plan(needed + cacheBytes(work, 20)).caches).toBe(cacheBytes(work, 20));
  });

  test("is written with weights that are read for each token where they do not fit, if that takes less than half of the rest", () => {
    const layer = resized(spec.layers[0]!, { intermediateSize: 8192 });
    const deep = { ...spec, layers: new Array<typeof layer>(800).fill(layer) };
    const few = workOf({ samples: 64 }, { of: deep });
    const many = workOf({ samples: 64 }, { of: { ...deep, vocabSize: 1e9 } }); // rows of a head, which only decoding reads so often
    const share = (of: Work) => readingOperations(of, 32) / pruningOperations(of);
    expect([share(few) < 1 / 2, share(many) > 1 / 2]).toEqual([true, true]);
    const without = (of: Work) => plan(4 * countParameters(of.spec).total, of); // all weights, and nothing beside them
    expect(without(few)).toMatchObject({ ownText: "read", weights: 0, caches: cacheBytes(few, 32) });
    expect(without(few).expectedPeakBytes).toBeLessThanOrEqual(4 * countParameters(deep).total);
    expect(without(many).ownText).toBe("none");
    expect(without({ ...many, asksOwnText: true }).ownText).toBe("read");
  });

  test("counts in the expected peak, of the windows that are the model's own", () => {
    const peak = (options: object, free = PLENTY) =>
      planMemory(workOf({ samples: 64, ...options }, { of: large }), undefined, free).expectedPeakBytes;
    expect(peak({})).toBe(needed + cacheBytes(work, 32)); // half of the windows
    expect(peak({ calibration: [] })).toBe(needed + cacheBytes(work, 64));
    expect(peak({ ownText: 0 })).toBeLessThan(needed);
    expect(peak({}, 0)).toBe(peak({ ownText: 0 }, 0));
  });
});
