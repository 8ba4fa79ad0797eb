// Size against quality: one look at the dense model, then a sweep without output for each size.
import { cutFigures, whyOutOfReach } from "../allocation/plan.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { StageEvent } from "../events/common.ts";
import type { CurveEvent, CurvePoint } from "../events/curve.ts";
import type { SplitEvent } from "../events/prune.ts";
import type { SweepHost } from "../host.ts";
import { type CriterionName, criteria } from "../importance/index.ts";
import type { Sweep } from "../method/sweep.ts";
import type { PruneOptions } from "../options/prune.ts";
import { chooseSplit } from "../search/layer-split.ts";
import { tryOut } from "../search/trial.ts";
import { type Evidence, gatherEvidence } from "../sensitivity/evidence.ts";
import { VERSION } from "../version.ts";
import { type Job, prepareJob, startSweep } from "./prepare.ts";

/**
 * Traces the curve of a checkpoint; the last event has all of it. A size out of reach is a point that says why.
 *
 * @param given whose own sparsity counts for nothing
 */
export async function* traceCurve(
  source: Checkpoint,
  given: PruneOptions,
  sparsities: readonly number[],
  host: SweepHost,
): AsyncGenerator<CurveEvent> {
  const sizes = [...new Set(sparsities)].sort((a, b) => a - b);
  const criterion = criteria[given.criterion as CriterionName];
  const job = await prepareJob(source, { ...given, sparsity: sizes[0]! }, host, criterion);
  for (const message of job.warnings) yield { type: "warning", message };
  const sweep = yield* startSweep(job, host);
  try {
    const { spec } = job.model;
    const reachable = sizes.filter((sparsity) => whyOutOfReach(spec, { ...job.options, sparsity }) === undefined);
    const evidence = yield* gatherEvidence(sweep, reachable);
    const points: CurvePoint[] = [];
    for (const sparsity of sizes) {
      points.push(yield* tracePoint(sweep, job, evidence, sparsity));
      yield { type: "point", point: points.at(-1)! };
    }
    const { parameters, decoderParameters, bytes } = job.plan;
    const dense = { parameters: parameters.before, decoderParameters: decoderParameters.before, bytes: bytes.before };
    const { calibration: _, sparsity: __, ...options } = job.options;
    const calibration = sweep.calibration.summary;
    yield { type: "done", curve: { comp: VERSION, model: source.name, dense, options, calibration, points } };
  } finally {
    await sweep.scratch.clear();
    await sweep.runner.release();
  }
}

async function* tracePoint(
  sweep: Sweep,
  { model, form }: Job,
  evidence: Evidence,
  sparsity: number,
): AsyncGenerator<StageEvent | SplitEvent, CurvePoint> {
  const options = { ...sweep.options, sparsity };
  const failure = whyOutOfReach(model.spec, options);
  if (failure !== undefined) return { sparsity, failure };
  const decision = yield* chooseSplit(sweep, evidence, sparsity);
  const quality = yield* tryOut(sweep, decision);
  const { parameters, decoderParameters, bytes, sparsity: reached } = cutFigures(model, decision.spec, form);
  const sizes = { parameters: parameters.after, decoderParameters: decoderParameters.after, bytes: bytes.after };
  return { sparsity, reached, ...sizes, quality };
}
