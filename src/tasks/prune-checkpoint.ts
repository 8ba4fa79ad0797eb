// The method from beginning to end: plan, calibrate, look at the dense model, decide, then layer by layer score, cut, recover and
// write, and at last verify. This file alone knows the order; each step lives in the folder of its phase.

import { ownOverEqual } from "../allocation/other-widths.ts";
import { cutFigures, type FigureName } from "../allocation/plan.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import { CompError } from "../errors.ts";
import { verifyOutput } from "../evaluate/verify-output.ts";
import type { PruneEvent, PruneResult, SplitTrial, Trial } from "../events/prune.ts";
import type { Host } from "../host.ts";
import type { Criterion } from "../importance/criterion.ts";
import { type CriterionName, criteria } from "../importance/index.ts";
import type { Sweep } from "../method/sweep.ts";
import { isGated, type PruneOptions } from "../options/prune.ts";
import { pruneLayers } from "../prune/sweep.ts";
import { chooseSplit } from "../search/layer-split.ts";
import { decideWithin } from "../search/quality-limit.ts";
import { type Decision, gatherEvidence } from "../sensitivity/evidence.ts";
import { openTokenizer } from "../tokenizer/tokenizer.ts";
import { type Job, prepareJob, startSweep } from "./prepare.ts";
import { createPrunedOutput, type PrunedOutput } from "./pruned-output.ts";

/**
 * Prunes a checkpoint; events tell the progress, the last one carries the result. A dry run ends after the plan.
 *
 * @param criterion one of one's own, instead of the one that the options name
 */
export async function* pruneCheckpoint(
  source: Checkpoint,
  given: PruneOptions,
  host: Host,
  criterion: Criterion = criteria[given.criterion as CriterionName],
): AsyncGenerator<PruneEvent> {
  const start = host.now();
  const job = await prepareJob(source, given, host, criterion);
  await checkSpace(job.plan.bytes.after, host);
  yield { type: "plan", ...job.plan };
  for (const message of job.warnings) yield { type: "warning", message };
  if (given.dryRun) return;

  const sweep = yield* startSweep(job, host);
  let output: Output | undefined;
  try {
    const { decision, ...tried } = yield* makeDecision(sweep);
    output = await host.createOutput();
    const { figures, report } = yield* writePruned(sweep, job, decision, output);
    const { calibration: _, ...recorded } = job.options;
    const result: PruneResult = {
      ...figures,
      model: source.name,
      fingerprint: await source.fingerprint(),
      family: job.plan.family,
      output: output.name,
      options: recorded,
      calibration: sweep.calibration.summary,
      ...(decision.equalCostRatio !== undefined && { equalCostRatio: decision.equalCostRatio }),
      ...tried,
      seconds: host.now() - start,
      peakBytes: host.peakBytes(),
    };
    await report(result);
    host.signal?.throwIfAborted();
    await output.commit();
    yield { type: "done", result };
  } finally {
    await output?.discard();
    await sweep.scratch.clear();
    await sweep.runner.release();
  }
}

interface Chosen extends Pick<PruneResult, "trials" | "splits"> {
  readonly decision: Decision;
}

/** What goes, after a look at the dense model, and what was tried to find it. */
async function* makeDecision(sweep: Sweep): AsyncGenerator<PruneEvent, Chosen> {
  const { options } = sweep;
  const evidence = yield* gatherEvidence(sweep, [options.sparsity]);
  const search = isGated(options) ? decideWithin(sweep, evidence) : chooseSplit(sweep, evidence, options.sparsity);
  const [trials, splits]: [Trial[], SplitTrial[]] = [[], []];
  for (;;) {
    const step = await search.next();
    if (step.done)
      return { decision: step.value, ...(trials.length > 0 && { trials }), ...(splits.length > 0 && { splits }) };
    if (step.value.type === "trial") trials.push(step.value.trial);
    if (step.value.type === "split") splits.push(step.value.split);
    yield step.value;
  }
}

type WrittenFigures = Pick<PruneResult, FigureName | "files" | "layersRemoved" | "layers" | "quality" | "ownCostRatio">;

/** Prunes by a decision into an output, and reads it back; what the report tells is added by `report`. */
async function* writePruned(
  sweep: Sweep,
  { form }: Job,
  decision: Decision,
  output: Output,
): AsyncGenerator<PruneEvent, { figures: WrittenFigures; report: PrunedOutput["report"] }> {
  const { model, options, calibration, host } = sweep;
  const { keptLayers, spec } = decision;
  const decisions = { options, calibration: calibration.summary, keptLayers };
  const writer = await createPrunedOutput({ output, model, spec, form, ...decisions });
  const { results, costs, quality } = yield* pruneLayers(sweep, decision, (i, weights) =>
    writer.writeLayer(i, weights),
  );
  yield { type: "stage", name: "write", done: 0, total: 1 };
  const files = await writer.finish();
  yield { type: "stage", name: "verify", done: 0, total: 1 };
  const tokenizer = await openTokenizer(model.checkpoint);
  const expected = { windows: calibration.heldOut, perplexity: quality.perplexity.after, tokenizer };
  await verifyOutput(host.backend, output, expected, form);
  const layersRemoved = [...model.spec.layers.keys()].filter((index) => !keptLayers.includes(index));
  const knowsOthers = options.allocation === "even" && sweep.criterion.needsLossCovariance;
  const ownCostRatio = knowsOthers ? ownOverEqual(model.spec, decision, costs, options) : undefined;
  const figures = {
    ...cutFigures(model, spec, form),
    files,
    layersRemoved,
    layers: results,
    quality,
    ...(ownCostRatio !== undefined && { ownCostRatio }),
  };
  return { figures, report: (result) => writer.report(result) };
}

async function checkSpace(needed: number, host: Host): Promise<void> {
  const free = await host.freeBytes();
  if (free === undefined || free > needed) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  throw new CompError("output", `the result takes ${gigabytes(needed)}, the disk has ${gigabytes(free)} left`, {
    hint: "free some space, or choose another disk with --output",
  });
}
