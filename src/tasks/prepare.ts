// From a checkpoint and options to a sweep that can start: everything that can be refused is refused here, before hours of work.
import { cutsHeads } from "../allocation/heads.ts";
import { anyLayers, equalSpec, mostReachable, planLayers, planPrune } from "../allocation/plan.ts";
import { prepareCalibration } from "../calibration/prepare.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { backendGemm } from "../compute/gemm.ts";
import { CompError } from "../errors.ts";
import type { PreparationEvent } from "../events/common.ts";
import type { PrunePlan } from "../events/prune.ts";
import { residentBytes } from "../forward/decode/resident-weights.ts";
import { LayerRunner } from "../forward/run/layer-runner.ts";
import type { SweepHost } from "../host.ts";
import type { Criterion } from "../importance/criterion.ts";
import { criteria } from "../importance/index.ts";
import {
  checkForm,
  codeNeeded,
  layersOption,
  type OutputForm,
  omissionOf,
  outputForm,
  widthsOption,
} from "../method/output-format.ts";
import { type Sweep, searchesSplit } from "../method/sweep.ts";
import { withDownBias } from "../model/config/mlp-bias.ts";
import { type Model, openModel } from "../model/model.ts";
import { isGated, type PruneOptions } from "../options/prune.ts";
import { headCostsOf } from "../prune/attention.ts";
import { openTokenizer } from "../tokenizer/tokenizer.ts";
import { expectedCost } from "./expected-memory.ts";

export interface Job {
  readonly model: Model;
  readonly form: OutputForm;
  /** As the form can carry them. */
  readonly options: PruneOptions;
  readonly criterion: Criterion;
  readonly plan: PrunePlan;
  readonly warnings: readonly string[];
}

/**
 * Opens a model and settles what is asked of it.
 *
 * @throws {CompError} for everything that would make the run fail later, as far as headers tell
 */
export async function prepareJob(
  source: Checkpoint,
  given: PruneOptions,
  host: Pick<SweepHost, "outputFormat" | "residentBudgetBytes">,
  criterion: Criterion,
): Promise<Job> {
  checkAllocation(given, criterion);
  const model = await openModel(source);
  const form = outputForm(model, given, host.outputFormat);
  const carried = { layers: layersOption(model.spec, given, form), ...widthsOption(model.spec, given, form) };
  const options = withinReach(model, withPossibleRecovery({ ...given, ...carried }, model));
  if (cutsHeads(options)) headCostsOf(criterion);
  const writes = residentBytes(model) <= host.residentBudgetBytes;
  const work = { spec: model.spec, criterion, options, writes };
  const plan = { ...planPrune(model, options, form), searchesSplit: searchesSplit(work), ...expectedCost(work) };
  const warnings = await checkOutput(model, options, form);
  if (options.recovery !== given.recovery)
    warnings.push(`a ${plan.family} of equal widths has no place for a bias; --recovery ${given.recovery} is left out`);
  return { model, form, options, criterion, plan, warnings };
}

/** Cuts the calibration text into windows; the sweep's runner and scratch space are the caller's to release. */
export async function* startSweep(
  { model, options, criterion }: Job,
  host: SweepHost,
): AsyncGenerator<PreparationEvent, Sweep> {
  const { backend, bundledText, residentBudgetBytes: budgetBytes, collectGarbage, signal } = host;
  const shared = { backend, model, options, bundledText, budgetBytes, collectGarbage, signal };
  const calibration = yield* prepareCalibration({ ...shared, openTokenizer: () => openTokenizer(model.checkpoint) });
  yield { type: "calibration", ...calibration.summary };
  const { maxPositionEmbeddings } = model.spec;
  if (options.context > maxPositionEmbeddings) {
    const message = `windows of ${options.context} tokens are longer than the ${maxPositionEmbeddings} that the model was made for`;
    yield { type: "warning", message };
  }
  return {
    runner: new LayerRunner(backend, model.spec),
    model,
    calibration,
    options,
    criterion,
    choosesRidge: true,
    host,
    gemm: backendGemm(backend),
    scratch: host.createScratch(),
  };
}

/** Under a limit of quality the sparsity is the most that is tried, as far as it can be reached. */
const withinReach = ({ spec }: Model, options: PruneOptions): PruneOptions =>
  isGated(options) ? { ...options, sparsity: mostReachable(spec, options) } : options;

/**
 * Refuses an output that cannot hold the result, as far as it is known: calibration may have to tell which layers go.
 * Returns warnings of what the output lacks.
 */
async function checkOutput(model: Model, options: PruneOptions, form: OutputForm): Promise<string[]> {
  const { spec } = model;
  const cut = planLayers(spec, options);
  const kept = anyLayers(spec, cut);
  const known = cut.removed === undefined ? [...spec.layers.keys()] : kept;
  const after = equalSpec(spec, kept, options, known);
  await checkForm(model, after, form, options.widths === "per-layer");
  return [omissionOf(spec, form), codeNeeded(after, form)].filter((message) => message !== undefined);
}

/** @throws {CompError} "option" when the criterion has no scores that the allocation could compare */
function checkAllocation({ allocation }: PruneOptions, criterion: Criterion): void {
  if (allocation !== "global" || criterion.oneShot) return;
  const able = Object.values(criteria).filter(({ oneShot }) => oneShot);
  throw new CompError("option", `--allocation global does not go with --criterion ${criterion.name}`, {
    hint: `it needs neurons scored one by one: ${able.map(({ name }) => name).join(", ")}`,
  });
}

/** No recovery instead of a bias for which the output has no place. */
function withPossibleRecovery(options: PruneOptions, { spec }: Model): PruneOptions {
  const hasPlace = options.recovery !== "bias" || withDownBias(spec, options.widths === "per-layer") !== undefined;
  return hasPlace ? options : { ...options, recovery: "none" };
}
