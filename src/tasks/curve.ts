// Size against quality: one look at the dense model, then a sweep without output for each size.
import type { Findings } from "../allocation/decide.ts";
import { whyOutOfReach } from "../allocation/layer-count.ts";
import { cutFigures } from "../allocation/plan.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { Judge } from "../evaluate/judge.ts";
import type { Curve, CurveEvent, CurvePoint, QuantizedPoint } from "../events/prune.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import { roundedBytes, roundedModel } from "../model/write/rounded-model.ts";
import type { DtypeName } from "../options/dtypes.ts";
import { type PruneOptions, recordedOptions } from "../options/prune.ts";
import { type Sweep, tryDecision } from "../prune/sweep.ts";
import { type RunContext, type SweepHost, startRun } from "../run-context.ts";
import { decideSplit } from "../search/mixture-split.ts";
import { measureDense } from "../sensitivity/measure-dense.ts";
import { VERSION } from "../version.ts";
import { checkScratch } from "./check-space.ts";
import { calibrate, type Job, prepareJob } from "./prepare.ts";

/** What the curve has rows for. */
export interface CurveRows {
  readonly sparsities: readonly number[];
  readonly quantized: readonly DtypeName[];
}

/**
 * Traces the curve of a checkpoint. A size out of reach is a point that says why.
 *
 * @param given whose own sparsity counts for nothing
 */
export async function traceCurve(
  source: Checkpoint,
  given: PruneOptions,
  { sparsities, quantized: dtypes }: CurveRows,
  host: SweepHost,
  report: (event: CurveEvent) => void,
): Promise<Curve> {
  const sizes = [...new Set(sparsities)].sort((a, b) => a - b);
  const job = await prepareJob(source, { ...given, sparsity: sizes[0]!, probes: 0 }, host);
  for (const message of job.warnings) report({ type: "warning", message });
  const { model, method } = job;
  for (const dtype of dtypes) await roundedBytes(model, dtype); // what GGUF cannot hold shows before the work
  await checkScratch(job, host);
  const run = startRun(host, job.memory, report);
  const runner = new LayerRunner(run.backend, model.spec);
  try {
    const { summary, windows, heldOut } = await calibrate(run, job, host);
    const reachable = sizes.filter((sparsity) => whyOutOfReach(model.spec, method, sparsity) === undefined);
    const { findings, sensitivities } = await measureDense(run, { model, method, windows }, reachable);
    const sweep: Sweep = { model, method, runner, windows, judge: new Judge(heldOut), sensitivities };
    const points: CurvePoint[] = [];
    for (const sparsity of sizes) {
      points.push(await tracePoint(run, sweep, job, findings, sparsity));
      report({ type: "point", point: points.at(-1)! });
    }
    const quantized: QuantizedPoint[] = [];
    for (const dtype of dtypes) {
      quantized.push(await quantizedPoint(run, sweep, dtype));
      report({ type: "quantized", point: quantized.at(-1)! });
    }
    const { parameters, decoderParameters, bytes } = job.plan;
    const dense = { parameters: parameters.before, decoderParameters: decoderParameters.before, bytes: bytes.before };
    const { sparsity: _, ...options } = recordedOptions(job.options);
    const machine = { device: run.backend.device, cores: host.cores };
    return { comp: VERSION, model: source.name, dense, options, ...machine, calibration: summary, points, quantized };
  } finally {
    await run.scratch.clear();
    await runner.release();
  }
}

/** Judged on the windows that judge the pruned models. */
async function quantizedPoint(
  run: RunContext,
  { model, runner, judge }: Sweep,
  quantized: DtypeName,
): Promise<QuantizedPoint> {
  run.signal?.throwIfAborted();
  await judge.meetDense(run, runner, model);
  const quality = await judge.qualityOfWritten(run.backend, roundedModel(model, quantized), model);
  return { quantized, bytes: await roundedBytes(model, quantized), quality };
}

async function tracePoint(
  run: RunContext,
  sweep: Sweep,
  { model, method, format }: Job,
  findings: Findings,
  sparsity: number,
): Promise<CurvePoint> {
  const failure = whyOutOfReach(model.spec, method, sparsity);
  if (failure !== undefined) return { sparsity, failure };
  const { decision } = await decideSplit(run, sweep, findings, sparsity);
  const quality = await tryDecision(run, sweep, decision);
  const { parameters, decoderParameters, bytes, sparsity: reached } = cutFigures(model, decision, format);
  const sizes = { parameters: parameters.after, decoderParameters: decoderParameters.after, bytes: bytes.after };
  return { sparsity, reached, ...sizes, quality };
}
