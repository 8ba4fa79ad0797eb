// The fine stage on a mixture as a whole: which of its experts go, and what those that stay make up for.
import { routeAmong, routedOutputs, type TokenRoutes } from "../forward/run/mixture.ts";
import { routedSums } from "../forward/run/routed-sums.ts";
import type { StoredArray } from "../forward/run/scratch.ts";
import { knownExperts } from "../importance/experts/reroute.ts";
import { allIndices, complement } from "../linalg/gather.ts";
import { ridged } from "../linalg/spd.ts";
import type { DecoderLayer } from "../model/read-layer.ts";
import { mixtureOf, sizesOf } from "../model/spec/parts.ts";
import { takeExperts } from "../model/take-rows.ts";
import type { RunContext } from "../run-context.ts";
import { pruneMixture } from "./experts.ts";
import { refitExperts } from "./refit-experts.ts";
import { routesOf } from "./routed-tokens.ts";
import type { Choice, PrunedSublayer, SublayerRequest } from "./sublayer.ts";

/** The experts go in so many rounds, each on what those before it have left, where not all outputs of a token are known. */
const ROUNDS = 3;

/** Of the metric's mean diagonal: what every direction counts at least. */
const LEAST_WEIGHT = 0.02;

export interface ExpertChoice extends Choice {
  /** Experts that stay, ascending; absent where the layer is no mixture. */
  readonly experts?: Int32Array | undefined;
}

/** Cuts a mixture, first whole experts, then the neurons of those that are left. */
export async function pruneExperts(
  run: RunContext,
  layer: DecoderLayer,
  request: SublayerRequest,
  count: number,
): Promise<PrunedSublayer<ExpertChoice>> {
  const { intermediateSize: width } = sizesOf(layer.sizes);
  const whole = await keepExperts(run, layer, request, count);
  const narrow = await pruneMixture(run, whole.layer, request);
  const inputs = narrow.choice.inputs.map((input) => whole.kept[Math.floor(input / width)]! * width + (input % width));
  const both = (which: "before" | "after"): number => Math.hypot(whole.error[which], narrow.error[which]);
  return {
    ...narrow,
    choice: { ...narrow.choice, inputs, experts: whole.kept },
    error: { before: both("before"), after: both("after") },
  };
}

interface KeptExperts {
  readonly layer: DecoderLayer;
  /** Indices in the layer as it was, ascending. */
  readonly kept: Int32Array;
  /** ‖Y − Ŷ‖ / ‖Y‖ of what the routed experts write together, cut only and recovered. */
  readonly error: { readonly before: number; readonly after: number };
}

/** A mixture with so many of its experts; its neurons are as they were. */
async function keepExperts(
  run: RunContext,
  layer: DecoderLayer,
  request: SublayerRequest,
  count: number,
): Promise<KeptExperts> {
  const { numExperts } = mixtureOf(layer.sizes)!;
  if (count === numExperts) return { layer, kept: allIndices(numExperts), error: { before: 0, after: 0 } };
  const { runner, method } = request;
  const fisherFactor = await request.sensitivity.fisherFactor?.read();
  const routed = await routesOf(request, layer);
  const targets: StoredArray[] = [];
  for (const own of await routedOutputs(runner, layer, routed)) targets.push(await run.scratch.put(own));
  const kept = await chooseExperts(run, { request, layer, routed, targets, fisherFactor }, numExperts - count);
  const smaller = takeExperts(layer, kept);
  const among = await routeAmong(runner, smaller, kept, routed);
  const missing = await routedOutputs(runner, smaller, among);
  let whole = 0;
  for (const [i, own] of missing.entries()) {
    const target = await targets[i]!.take();
    whole += energy([target]);
    for (let j = 0; j < own.length; j++) own[j] = target[j]! - own[j]!;
  }
  const errorNow = (): number => (whole === 0 ? 0 : Math.sqrt(energy(missing) / whole));
  const before = errorNow();
  if (!method.refitsExperts) return { layer: smaller, kept, error: { before, after: before } };
  const experts = await refitExperts(run, smaller, among, { request, missing });
  return { layer: { ...smaller, experts }, kept, error: { before, after: errorNow() } };
}

interface ChoiceRequest {
  readonly request: SublayerRequest;
  readonly layer: DecoderLayer;
  readonly routed: readonly TokenRoutes[];
  /** What the routed experts should write, batch by batch. */
  readonly targets: readonly StoredArray[];
  readonly fisherFactor: Float32Array | undefined;
}

/** The experts that stay when so many go, ascending. */
async function chooseExperts(
  run: RunContext,
  { request, layer, routed, targets, fisherFactor }: ChoiceRequest,
  removed: number,
): Promise<Int32Array> {
  const { runner, method } = request;
  const { numExperts, expertsPerToken } = mixtureOf(layer.sizes)!;
  const { expertCriterion } = method;
  const known = knownExperts(expertsPerToken);
  const wanted = expertCriterion.reroutes
    ? { known, metric: metricOf(fisherFactor, runner.spec.hiddenSize), targets }
    : undefined;
  const rounds = wanted && known < numExperts ? Math.min(ROUNDS, removed) : 1;
  let kept = allIndices(numExperts);
  for (let round = 0; round < rounds; round++) {
    run.signal?.throwIfAborted();
    const left = takeExperts(layer, kept);
    const among = await routeAmong(runner, left, kept, routed);
    const sums = await routedSums(runner, left, among, wanted);
    const goal = Math.round((removed * (round + 1)) / rounds);
    const { order } = expertCriterion.rank(sums, goal - (numExperts - kept.length));
    kept = complement(order.toSorted(), kept.length).map((expert) => kept[expert]!);
    run.collectGarbage();
  }
  return kept;
}

/** S with something for every direction; the plain norm where S is not known. f32 [size, size] */
function metricOf(fisherFactor: Float32Array | undefined, size: number): Float32Array {
  if (fisherFactor) return new Float32Array(ridged(fisherFactor, size, LEAST_WEIGHT));
  const plain = new Float32Array(size * size);
  for (let i = 0; i < size; i++) plain[i * size + i] = 1;
  return plain;
}

const energy = (batches: readonly Float32Array[]): number =>
  batches.reduce((sum, batch) => batch.reduce((total, value) => total + value * value, sum), 0);
