// The method from beginning to end: plan, calibrate, measure the dense model, decide, then layer by layer score, cut, recover
// and write, and at last verify; or on from where a run was killed. This file alone knows the order; each step lives in the folder of its phase.
import type { Decision, Findings } from "../allocation/decide.ts";
import { ownOverEqual } from "../allocation/predicted.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Output } from "../checkpoint/storage.ts";
import { Judge } from "../evaluate/judge.ts";
import { verifyOutput } from "../evaluate/verify-output.ts";
import type { MeasuredResult, PruneEvent, PruneResult } from "../events/prune.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { OwnCriterion } from "../method/resolve-method.ts";
import { layerPositions } from "../model/spec/layer-index.ts";
import { type PruneOptions, recordedOptions } from "../options/prune.ts";
import { type LayerSink, pruneLayers, type Sweep } from "../prune/sweep.ts";
import { type Host, type RunContext, startRun } from "../run-context.ts";
import { decideSplit } from "../search/mixture-split.ts";
import { decideWithin } from "../search/quality-limit.ts";
import { measureDense } from "../sensitivity/measure-dense.ts";
import { openTokenizerHeldIn } from "../tokenizer/gguf/to-gguf.ts";
import { checkScratch, checkSpace } from "./check-space.ts";
import { copyCheckpoint } from "./copy-checkpoint.ts";
import { measuredVocabulary } from "./cut-vocabulary.ts";
import { compareProbes } from "./evaluate-probes.ts";
import { calibrate, type Job, prepareJob } from "./prepare.ts";
import { createPrunedOutput, writtenFacts } from "./pruned-output.ts";
import { type ChosenCut, type KeptRun, openKeptRun, type Preparation } from "./resume.ts";

/**
 * Prunes a checkpoint into the host's output.
 *
 * @param own a criterion of one's own, instead of the one that the options name
 * @returns undefined after a dry run, which ends with the plan
 * @throws {CompError} whose message says what went wrong
 */
export async function pruneCheckpoint(
  source: Checkpoint,
  given: PruneOptions,
  host: Host,
  report: (event: PruneEvent) => void,
  own?: OwnCriterion,
): Promise<PruneResult | undefined> {
  const start = host.now();
  const job = await prepareJob(source, given, host, own);
  const kept = given.dryRun ? undefined : await openKeptRun(job, host);
  if (!kept?.isContinued) await checkSpace(job, host);
  report({ type: "plan", ...job.plan });
  for (const message of [...job.warnings, ...(kept?.warnings ?? [])]) report({ type: "warning", message });
  if (given.dryRun) return undefined;
  if (job.copies) return copyCheckpoint(job, host, report);

  await checkScratch(job, host);
  const run = startRun(host, job.memory, report);
  const runner = new LayerRunner(run.backend, job.model.spec);
  let output: Output | undefined;
  try {
    const recalled = await recall(kept, job, runner, report);
    const { sweep, preparation } = recalled ?? (await findOut(run, job, runner, host));
    output = await host.createOutput(kept && { continues: kept.isContinued });
    const { addReport, ...figures } = await writePruned(run, sweep, job, { preparation, output, kept });
    const { decision: _, ...tried } = preparation.chosen;
    const seconds = kept?.seconds ?? host.now() - start;
    const spent = { device: run.backend.device, cores: host.cores, seconds, peakBytes: host.peakBytes() };
    const result: MeasuredResult = { ...figures, ...tried, ...spent };
    await addReport(result);
    host.signal?.throwIfAborted();
    await output.commit();
    return result;
  } finally {
    await output?.discard();
    await run.scratch.clear();
    await runner.release();
  }
}

interface Prepared {
  readonly sweep: Sweep;
  readonly preparation: Preparation;
}

/** Calibrates, measures the dense model, and decides. */
async function findOut(run: RunContext, job: Job, runner: LayerRunner, host: Host): Promise<Prepared> {
  const { model, method } = job;
  const { summary, windows, heldOut } = await calibrate(run, job, host);
  const { findings, sensitivities } = await measureDense(run, { model, method, windows }, [job.sparsity]);
  const sweep: Sweep = { model, method, runner, windows, judge: new Judge(heldOut), sensitivities };
  const chosen = await chooseCut(run, sweep, findings);
  return { sweep, preparation: { summary, windows, heldOut, sensitivities, chosen } };
}

/** The same, as a run that was killed has found it. */
async function recall(
  kept: KeptRun | undefined,
  { model, method }: Job,
  runner: LayerRunner,
  report: (event: PruneEvent) => void,
): Promise<Prepared | undefined> {
  const preparation = await kept?.preparation();
  if (kept === undefined || preparation === undefined) return undefined;
  const { summary, windows, heldOut, sensitivities } = preparation;
  report({ type: "calibration", ...summary });
  report({ type: "resume", done: kept.done, total: model.spec.layers.length });
  return { preparation, sweep: { model, method, runner, windows, judge: new Judge(heldOut), sensitivities } };
}

/** What goes, and what was tried to find it. */
async function chooseCut(run: RunContext, sweep: Sweep, findings: Findings): Promise<ChosenCut> {
  const { goal } = sweep.method;
  const { decision, splits, trials } =
    goal.kind === "quality"
      ? await decideWithin(run, sweep, findings, goal)
      : { trials: [], ...(await decideSplit(run, sweep, findings, goal.sparsity)) };
  return { decision, ...(trials.length > 0 && { trials }), ...(splits.length > 0 && { splits }) };
}

interface Writing {
  readonly preparation: Preparation;
  readonly output: Output;
  readonly kept: KeptRun | undefined;
}

type Written = Omit<MeasuredResult, "trials" | "splits" | "device" | "cores" | "seconds" | "peakBytes"> & {
  /** Writes the report of the run, which is complete only at its end. */
  addReport(result: PruneResult): Promise<void>;
};

/** Prunes by a decision into an output, the layers that are there already left out, and reads it back. */
async function writePruned(
  run: RunContext,
  sweep: Sweep,
  { format, options: settled, vocabulary: cut }: Job,
  { preparation, output, kept }: Writing,
): Promise<Written> {
  const { model, judge, runner } = sweep;
  const { summary: calibration, chosen } = preparation;
  const { decision } = chosen;
  const { keptLayers, spec, equalCostRatio } = decision;
  const vocabulary = await measuredVocabulary(cut, run.backend);
  const options = recordedOptions(settled);
  const request = { output, model, spec, format, options, calibration, keptLayers, ...vocabulary };
  const writer = await createPrunedOutput(request);
  await kept?.prepared(preparation);
  const course = kept?.course(model.spec, () => output.flush());
  for (const position of layerPositions(spec).slice(0, course?.from?.results.length ?? 0)) writer.keepLayer(position);
  const write: LayerSink = (...layer) => writer.writeLayer(...layer);
  const pruned = await pruneLayers(run, sweep, decision, write, course);
  const perplexity = await judge.perplexityOf(runner, model, pruned.heldOut);
  run.report({ type: "stage", name: "write", done: 0, total: 1 });
  const files = await writer.finish();
  run.report({ type: "stage", name: "verify", done: 0, total: 1 });
  const openTokenizer = () => openTokenizerHeldIn(format.format, model.checkpoint, model.spec.vocabSize);
  await judge.meetDense(run, runner, model);
  const expected = { judge, dense: model, perplexity, openTokenizer };
  const quality = await verifyOutput(run.backend, output, expected, format);
  const probes = await compareProbes(run, { dense: model, output, format }, settled);
  const ownCostRatio = predictedOwn(sweep, decision, pruned.costs);
  return {
    ...(await writtenFacts(request, files)),
    calibration,
    layers: pruned.results,
    quality,
    ...(probes && { probes }),
    ...(equalCostRatio !== undefined && { equalCostRatio }),
    ...(ownCostRatio !== undefined && { ownCostRatio }),
    addReport: (result) => writer.report(result),
  };
}

/** What each layer's own widths would cost beside equal ones, where the costs of the neurons are known in the loss. */
const predictedOwn = (
  { model, method }: Sweep,
  decision: Decision,
  costs: readonly Float64Array[],
): number | undefined =>
  method.allocation.kind === "even" && method.criterion.needsFisherFactor === true
    ? ownOverEqual(model.spec, decision, costs, method)
    : undefined;
