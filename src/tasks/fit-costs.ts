// What each mix of type and pruning costs, from few measurements: the types on the dense model, each by itself, pruning by a cheap
// method at a few sizes. Costs add up.
import { mostReachable } from "../allocation/layer-count.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { Judge } from "../evaluate/judge.ts";
import type { FitEvent, FitMix, JudgedMix } from "../events/fit.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import { MIXTURES, type Mixture } from "../model/write/mixtures.ts";
import { roundedModel } from "../model/write/rounded-model.ts";
import { PruneOptions } from "../options/prune.ts";
import { parseOptions } from "../options/schema.ts";
import { type Sweep, tryDecision } from "../prune/sweep.ts";
import { type RunContext, type SweepHost, startRun } from "../run-context.ts";
import { decideSplit } from "../search/mixture-split.ts";
import { measureDense } from "../sensitivity/measure-dense.ts";
import { calibrate, type Job, prepareJob } from "./prepare.ts";

/** Prunes for the estimate: a refit to the outputs, no backward sweep and no text of the model's own. */
const CHEAP = { preset: "osscar", prune: "mlp", layers: "auto", widths: "equal" } as const;

/** Sizes at which it is measured, at most; between them it is interpolated. */
const MOST_MEASURED = 3;
/** And no more than this goes. */
const MOST_CUT = 0.95;
/** A cut by which memory and plan of the estimate are settled. */
const SETTLED_AT = 0.1;

/** The mixes with what they cost, the best first; of those that a plain quantization beats by their type alone nothing more is said. */
export async function judgeMixes(
  source: Checkpoint,
  options: PruneOptions,
  mixes: readonly FitMix[],
  host: SweepHost,
  report: (event: FitEvent) => void,
): Promise<JudgedMix[]> {
  const cheap = parseOptions(PruneOptions, cheaply(options));
  const job = await prepareJob(source, { ...cheap, sparsity: Math.min(SETTLED_AT, largest(mixes)) }, host);
  const run = startRun(host, job.memory, (event) => event.type === "stage" && report(event));
  const runner = new LayerRunner(run.backend, job.model.spec);
  try {
    const { windows, heldOut } = await calibrate(run, job, host);
    const judge = new Judge(heldOut);
    await judge.meetDense(run, runner, job.model);
    const typed: JudgedMix[] = [];
    for (const mix of mixes) typed.push({ ...mix, klDivergence: await typeCost(run, job, judge, mix) });
    const plain = typed.filter(({ sparsity }) => sparsity === 0);
    const best = Math.min(...plain.map(({ klDivergence }) => klDivergence));
    const open = typed.filter(({ sparsity, klDivergence }) => sparsity > 0 && klDivergence < best);
    const costOf = await pruningCost(run, job, { runner, windows, judge }, open);
    const judged = [
      ...plain,
      ...open.map((mix) => ({ ...mix, klDivergence: mix.klDivergence + costOf(mix.sparsity) })),
    ];
    for (const mix of judged) report({ type: "mix", mix });
    return judged.toSorted((a, b) => a.klDivergence - b.klDivergence || b.bytes - a.bytes);
  } finally {
    await run.scratch.clear();
    await runner.release();
  }
}

const cheaply = ({ calibration, context, samples, seed, memory, threads, device }: PruneOptions): object => ({
  ...{ calibration, context, samples, seed, memory, threads, device },
  ...CHEAP,
});

const largest = (mixes: readonly FitMix[]): number => Math.max(...mixes.map(({ sparsity }) => sparsity));

/** What the type alone costs; one that keeps the values costs nothing. */
async function typeCost(run: RunContext, { model }: Job, judge: Judge, { dtype }: FitMix): Promise<number> {
  if (!isMixture(dtype)) return 0;
  run.signal?.throwIfAborted();
  run.report({ type: "stage", name: "evaluate", done: 0, total: 1 });
  return (await judge.qualityOfWritten(run.backend, roundedModel(model, dtype), model)).klDivergence;
}

const isMixture = (dtype: string): dtype is Mixture => dtype in MIXTURES;

/** What pruning costs at any of the sparsities of some mixes, measured at a few of them. */
async function pruningCost(
  run: RunContext,
  { model, method }: Job,
  { runner, windows, judge }: Pick<Sweep, "runner" | "windows" | "judge">,
  mixes: readonly FitMix[],
): Promise<(sparsity: number) => number> {
  const most = mostReachable(model.spec, method, MOST_CUT);
  const sparsities = spread(mixes.map(({ sparsity }) => Math.min(sparsity, most)));
  const points: CostPoint[] = [];
  if (sparsities.length > 0) {
    const { findings, sensitivities } = await measureDense(run, { model, method, windows }, sparsities);
    const sweep = { model, method, runner, windows, judge, sensitivities };
    for (const sparsity of sparsities) {
      const { decision } = await decideSplit(run, sweep, findings, sparsity);
      points.push({ sparsity, cost: (await tryDecision(run, sweep, decision)).klDivergence });
    }
  }
  return (sparsity) => interpolated(points, sparsity);
}

interface CostPoint {
  readonly sparsity: number;
  readonly cost: number;
}

/** The least, the middle and the largest of some sparsities, ascending. */
function spread(sparsities: readonly number[]): number[] {
  const sorted = [...new Set(sparsities)].sort((a, b) => a - b);
  if (sorted.length <= MOST_MEASURED) return sorted;
  return Array.from(
    { length: MOST_MEASURED },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MOST_MEASURED - 1))]!,
  );
}

/** Along straight lines from nothing at 0 through the points, the last line going on. */
export function interpolated(points: readonly CostPoint[], sparsity: number): number {
  const all = [{ sparsity: 0, cost: 0 }, ...points];
  const next = all.findIndex((point, i) => i > 0 && point.sparsity >= sparsity);
  const end = next < 0 ? all.length - 1 : next;
  const [before, behind] = [all[end - 1], all[end]!];
  if (before === undefined) return 0;
  const share = (sparsity - before.sparsity) / (behind.sparsity - before.sparsity);
  return before.cost + share * (behind.cost - before.cost);
}
