// What inner products say of a mixture without some experts is what that mixture computes.
import { expect, test } from "vitest";
import { embed } from "../../../src/forward/run/embed.ts";
import { routeAmong, routeBatch, routedOutputs } from "../../../src/forward/run/mixture.ts";
import { routedSums } from "../../../src/forward/run/routed-sums.ts";
import { reroute } from "../../../src/importance/experts/reroute.ts";
import { complement } from "../../../src/linalg/gather.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import type { LayerIndex } from "../../../src/model/spec/layer-index.ts";
import { mixtureOf } from "../../../src/model/spec/parts.ts";
import { takeExperts } from "../../../src/model/take-rows.ts";
import { EXPERT_FIXTURES } from "../../helpers/fixtures.ts";
import { openTiny, someWindows } from "../../helpers/run.ts";

/** Symmetric, and another weight for each direction. */
const metricOf = (size: number): Float32Array =>
  Float32Array.from({ length: size ** 2 }, (_, i) => (i % (size + 1) === 0 ? 1 + (i % 7) : 0));

test.each(EXPERT_FIXTURES.filter((name) => name !== "glm4-moe"))(
  "%s: the costs of removals add up to the error of the mixture without them",
  async (name) => {
    const tiny = await openTiny(name);
    const { model, runner } = tiny;
    const layer = await readLayer(model, (model.spec.layers.length - 1) as LayerIndex);
    const { numExperts, expertsPerToken } = mixtureOf(layer.sizes)!;
    const states = await embed(model, someWindows(5, 24, 48));
    const batches = await Promise.all(states.batches.map(({ hidden }) => routeBatch(runner, layer, hidden)));
    const targets = await routedOutputs(runner, layer, batches);
    const aside = targets.map((own) => ({ read: async () => Float32Array.from(own) }));
    const metric = metricOf(model.spec.hiddenSize);
    const sums = await routedSums(runner, layer, batches, { known: numExperts, metric, targets: aside });
    const { order, costs } = reroute.rank(sums, numExperts - expertsPerToken);

    const kept = complement(order.toSorted(), numExperts);
    const smaller = takeExperts(layer, kept);
    const left = await routedOutputs(runner, smaller, await routeAmong(runner, smaller, kept, batches));
    const { hiddenSize } = model.spec;
    let error = 0;
    for (const [i, target] of targets.entries())
      for (const [j, value] of target.entries())
        error += metric[(j % hiddenSize) * (hiddenSize + 1)]! * (value - left[i]![j]!) ** 2;
    const tokens = targets.reduce((sum, { length }) => sum + length / hiddenSize, 0);
    expect(error).toBeGreaterThan(0);
    expect(costs.reduce((sum, cost) => sum + cost, 0) / (error / (2 * tokens))).toBeCloseTo(1, 3);
    await tiny.close();
  },
);
