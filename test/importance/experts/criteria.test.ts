// Criteria for whole experts against torch (test/fixtures/make-experts.py) and by hand.
import { describe, expect, test } from "vitest";
import { embed } from "../../../src/forward/run/embed.ts";
import { routeBatch, routedOutputs } from "../../../src/forward/run/mixture.ts";
import { routedSums } from "../../../src/forward/run/routed-sums.ts";
import { expertCriteria } from "../../../src/importance/experts/index.ts";
import type { RoutedSums } from "../../../src/linalg/routed-sums.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import type { LayerIndex } from "../../../src/model/spec/layer-index.ts";
import { mixtureOf } from "../../../src/model/spec/parts.ts";
import { readJsonFixture } from "../../helpers/fixtures.ts";
import { openTiny, tinyWindows } from "../../helpers/run.ts";

interface Expected {
  readonly scores: Readonly<Record<"frequency" | "ean" | "reap" | "man" | "msan", number[]>>;
  readonly reroute: { readonly order: number[]; readonly costs: number[] };
}

const fixture = readJsonFixture<Record<string, Expected>>("experts.json");

/** Sums at the first mixture of a tiny checkpoint, in the plain norm. */
async function sumsOf(name: string, known: number): Promise<RoutedSums> {
  const tiny = await openTiny(name);
  const { model, runner } = tiny;
  const layer = await readLayer(model, 0 as LayerIndex);
  const states = await embed(model, tinyWindows(name));
  await runner.sublayer("attention", layer, states);
  const batches = await Promise.all(states.batches.map(({ hidden }) => routeBatch(runner, layer, hidden)));
  const { hiddenSize } = model.spec;
  const metric = Float32Array.from({ length: hiddenSize ** 2 }, (_, i) => (i % (hiddenSize + 1) === 0 ? 1 : 0));
  const sums = await routedSums(runner, layer, batches, {
    known,
    metric,
    targets: (await routedOutputs(runner, layer, batches)).map((own) => ({ read: async () => Float32Array.from(own) })),
  });
  expect(mixtureOf(layer.sizes)!.numExperts).toBe(sums.tokens.length);
  await tiny.close();
  return sums;
}

describe.each(Object.entries(fixture))("%s", (name, { scores, reroute }) => {
  test("published criteria score as in torch", async () => {
    const sums = await sumsOf(name, 2);
    for (const [criterion, expected] of Object.entries(scores)) {
      const { order, costs } = expertCriteria[criterion as keyof typeof scores].rank(sums, expected.length);
      expect([...costs]).toEqual([...order].map((expert) => expect.closeTo(expected[expert]!, 4)));
      expect([...costs]).toEqual([...costs].sort((a, b) => a - b));
    }
  });

  test("rerouting removes the same experts at the same costs", async () => {
    const { order, costs } = expertCriteria.reroute.rank(await sumsOf(name, 99), reroute.order.length);
    expect([...order]).toEqual(reroute.order);
    expect([...costs]).toEqual(reroute.costs.map((cost) => expect.closeTo(cost, 4)));
  });
});

describe("two tokens, each to one of three experts", () => {
  // in one dimension; the first chooses 0, 1, 2, which write 1, 3, 4, the second 1, 2, 0, which write 2, 5, 1; as it is, nothing is wrong
  const tokens = [
    { order: [0, 1, 2], vectors: [1, 1, 3, 4] },
    { order: [1, 2, 0], vectors: [2, 2, 5, 1] },
  ];
  const rerouting = (known: number) => ({
    tokenCount: 2,
    outputs: 3,
    perToken: 1,
    order: Uint16Array.from(tokens.flatMap(({ order }) => order)),
    known,
    products: Float32Array.from(
      tokens.flatMap(({ vectors }) =>
        vectors.slice(0, 1 + known).flatMap((a) => vectors.slice(0, 1 + known).map((b) => a * b)),
      ),
    ),
    dependsOnAll: false,
    weigh: () => Float64Array.of(1),
  });
  const zeros = new Float64Array(3);
  const sums = { tokens: zeros, norms: zeros, squares: zeros, weighed: zeros };
  const rank = (known: number) => expertCriteria.reroute.rank({ ...sums, rerouting: rerouting(known) }, 2);

  test("whom nobody goes to costs nothing; then it counts who steps in", () => {
    // without 2 and 0 the first token gets 3 for 1, without 2 and 1 the second 1 for 2: ½ · 1² / 2
    expect(rank(3)).toEqual({ order: Int32Array.of(2, 1), costs: Float64Array.of(0, 0.25) });
  });

  test("who steps in from beyond those that are known counts as writing nothing", () => {
    // 0 for 1 or 0 for 2
    expect(rank(1)).toEqual({ order: Int32Array.of(2, 0), costs: Float64Array.of(0, 0.25) });
  });

  test("a cost that is not finite is refused", () => {
    const { products, ...others } = rerouting(3);
    const broken = { ...sums, rerouting: { ...others, products: products.map(() => Number.NaN) } };
    expect(() => expertCriteria.reroute.rank(broken, 1)).toThrow("an expert's removal would cost NaN");
  });
});
