// Everything that is "auto", the preset's, or implied by the model and the output is settled here, once.
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import type { Criterion } from "../importance/criterion.ts";
import type { ExpertCriterion } from "../importance/experts/expert-criterion.ts";
import { expertCriteria } from "../importance/experts/index.ts";
import { type CriterionName, criteria } from "../importance/index.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import type { LayerIndex } from "../model/spec/layer-index.ts";
import { withDownBias } from "../model/write/pruned-config.ts";
import { presets } from "../options/presets.ts";
import type { PruneOptions, SettledOptions } from "../options/prune.ts";
import { recoveries } from "../recover/index.ts";
import type { Recovery } from "../recover/recovery.ts";
import { expertRule } from "./experts.ts";
import type { Allocation, BackwardNeeds, CalibrationChoice, Goal, HeadRule, LayerRule, Method } from "./method.ts";
import { holdableLayers, holdableWidths, type OutputFormat, outputFormat, whyNoHeads } from "./output-format.ts";
import { settleOptions } from "./settle-options.ts";
import { scalesTokens } from "./trial-method.ts";

/** A criterion of one's own, under the name by which messages and reports call it. */
export type OwnCriterion = Criterion & { readonly name: string };

export interface ResolvedMethod {
  readonly method: Method;
  /** The options that the method was made of, for the record. */
  readonly options: SettledOptions;
  /** What had to be left out. */
  readonly warnings: readonly string[];
}

/**
 * Refuses options that exclude each other whatever the model is, so that it need not be looked at for that.
 *
 * @throws {CompError} "option" for them, or for a type that the output does not have
 */
export function checkOptions(given: PruneOptions, format: Checkpoint["format"], own?: OwnCriterion): void {
  outputFormat(given, format);
  if (given.vocabularySize !== undefined && given.vocabulary.length === 0)
    throw new CompError("option", "--vocabulary-size needs texts that tell which tokens are used", {
      hint: "name them with --vocabulary",
    });
  const options = settleOptions(given);
  const cutsHeads = cutsAttention(options);
  const heads = headRule(options, cutsHeads);
  const criterion: Criterion = own ?? criteria[options.criterion as CriterionName];
  checkCriterion(
    { ...options, criterion: own?.name ?? options.criterion },
    criterion,
    heads,
    allocationOf(options, heads, cutsHeads),
  );
}

/**
 * The method that options, model and output add up to.
 *
 * @param own a criterion of one's own, instead of the one that the options name
 * @throws {CompError} "option" for choices that exclude each other, or that the output cannot hold
 */
export function resolveMethod(
  given: PruneOptions,
  spec: DecoderSpec,
  output: OutputFormat,
  own?: OwnCriterion,
): ResolvedMethod {
  const settled = settleOptions(given);
  const holdable = {
    ...settled,
    criterion: own?.name ?? settled.criterion,
    layers: holdableLayers(spec, settled.layers, output),
    ...holdableWidths(spec, settled, output),
  };
  const perLayer = holdable.widths === "per-layer";
  if (spec.routing) checkMixture(spec, holdable, own ?? criteria[holdable.criterion as CriterionName]);
  const biases = recoveryOf(holdable).addsBias === true ? withDownBias(spec, perLayer) : spec.bias;
  const options: SettledOptions = biases === undefined ? { ...holdable, recovery: "none" } : holdable;
  const criterion: Criterion = own ?? criteria[options.criterion as CriterionName];
  const recovery = recoveryOf(options);
  const headsStay = whyNoHeads(spec, output);
  const cutsHeads = headsStay === undefined && cutsAttention(options);
  checkHeads(options, spec, headsStay);
  const heads = headRule(options, cutsHeads);
  const allocation = allocationOf(options, heads, cutsHeads);
  checkCriterion(options, criterion, heads, allocation);
  const experts = expertRule(options, spec);
  const expertCriterion: ExpertCriterion = expertCriteria[options.expertCriterion];
  const weighsExperts = experts.kind !== "none" && expertCriterion.reroutes === true;
  const method: Method = {
    goal: goalOf(options),
    sparsityOf: options.sparsityOf,
    layers: layerRule(options, criterion),
    layerImportance: criterion.needsFisherFactor === true ? "ablation" : "block-influence",
    heads,
    experts,
    expertCriterion,
    refitsExperts: recovery.towardsDense === true || recovery === recoveries["least-squares"],
    allocation,
    widths: perLayer ? "per-layer" : "equal",
    protectedLayers: options.spare,
    multipleOf: options.multipleOf,
    blockSize: 1,
    criterion,
    recovery,
    ridge: options.ridge,
    choosesRidge: true,
    biases: biases ?? spec.bias,
    backward: backwardNeeds(criterion, recovery, weighsExperts, heads, allocation),
    tokenScale: scalesTokens(spec, criterion, recovery),
    importance: importanceOf(options, output),
    calibration: calibrationChoice(options),
    seed: options.seed,
  };
  const keptHeads = headsStay !== undefined && cutsAttention(options) ? [`all heads stay: ${headsStay}`] : [];
  const left = `a ${spec.family} of equal widths has no place for a bias; --recovery ${settled.recovery} is left out`;
  return { method, options, warnings: [...keptHeads, ...(biases === undefined ? [left] : [])] };
}

/** Nothing weighs where nothing is quantized. */
function importanceOf({ importance }: SettledOptions, { format }: OutputFormat): Method["importance"] {
  if (format === "safetensors" || importance === "off") return "none";
  return importance === "on" ? "all" : "summed";
}

const calibrationChoice = ({ calibration, samples, context, seed, ownText }: SettledOptions): CalibrationChoice => ({
  calibration,
  samples,
  context,
  seed,
  ownText,
});

const recoveryOf = ({ recovery }: SettledOptions): Recovery => recoveries[recovery];

function goalOf({ sparsity, maxKl, maxPerplexityIncrease }: SettledOptions): Goal {
  const isLimited = maxKl !== undefined || maxPerplexityIncrease !== undefined;
  return isLimited ? { kind: "quality", most: sparsity, maxKl, maxPerplexityIncrease } : { kind: "sparsity", sparsity };
}

function layerRule({ layers, allocation, sparsity }: SettledOptions, { needsFisherFactor }: Criterion): LayerRule {
  if (layers === 0 || (sparsity === 0 && layers === "auto")) return { kind: "none" };
  if (typeof layers === "number") return { kind: "count", count: layers };
  if (typeof layers === "object")
    return { kind: "list", removed: [...new Set(layers)].sort((a, b) => a - b) as LayerIndex[] };
  if (layers !== "auto") return { kind: layers };
  return { kind: allocation === "even" && needsFisherFactor === true ? "search" : "fewest" };
}

/** Whether more than neurons may be cut inside a layer: as asked, else what the preset's authors cut. */
const cutsAttention = ({ prune, preset }: SettledOptions): boolean =>
  prune === undefined ? presets[preset].cuts === "mlp+attention" : prune === "all";

/** @throws {CompError} "option" for heads to remove where only neurons may go */
function headRule(options: SettledOptions, cutsHeads: boolean): HeadRule {
  const { heads, kvGroups, allocation, prune, experts } = options;
  const count = { kvGroups: kvGroups === "auto" ? 0 : kvGroups, heads: heads === "auto" ? 0 : heads };
  if (count.kvGroups === 0 && count.heads === 0) {
    const isOpen = heads === "auto" && kvGroups === "auto";
    if (!isOpen || allocation === "loss" || !cutsHeads) return { kind: "none" };
    return { kind: experts === "auto" ? "search" : "proportional" };
  }
  if (prune !== "mlp") return { kind: "count", ...count };
  throw new CompError("option", `--prune mlp does not go with --${count.heads > 0 ? "heads" : "kv-groups"}`, {
    hint: "leave one of them out",
  });
}

/** @throws {CompError} "option" for heads to remove of a model that must keep them */
function checkHeads(
  { heads, kvGroups, prune }: SettledOptions,
  { family }: DecoderSpec,
  why: string | undefined,
): void {
  const asked = [heads, kvGroups].some((count) => typeof count === "number" && count > 0) || prune === "all";
  if (asked && why !== undefined)
    throw new CompError("option", `no heads of a ${family} can be removed: ${why}`, {
      hint: "cut neurons only: --prune mlp",
    });
}

/** @throws {CompError} "option" for what is not known of mixtures of experts */
function checkMixture({ family }: DecoderSpec, { widths, criterion }: SettledOptions, row: Criterion): void {
  if (widths === "per-layer")
    throw new CompError("option", `the experts of a ${family} have one width in all layers`, {
      hint: "cut all alike: --widths equal --allocation even --spare 0,0",
    });
  if (row.needsWeightSensitivity === true)
    throw new CompError("option", `--criterion ${criterion} does not rank the neurons of experts`, {
      hint: "choose another, such as loss, obs or wanda",
    });
}

/** Heads that go by number are no longer the allocation's to decide. */
function allocationOf(options: SettledOptions, heads: HeadRule, cutsHeads: boolean): Allocation {
  const kind = options.allocation;
  if (kind !== "loss") return { kind };
  return { kind, of: cutsHeads && heads.kind === "none" ? "all" : "neurons" };
}

/** @throws {CompError} "option" when the criterion cannot tell what the method has to know */
function checkCriterion(
  { criterion: name }: SettledOptions,
  { oneShot, blockCosts }: Criterion,
  heads: HeadRule,
  allocation: Allocation,
): void {
  if (allocation.kind === "global" && oneShot !== true) {
    const able = Object.entries<Criterion>(criteria).flatMap(([known, row]) => (row.oneShot ? [known] : []));
    throw new CompError("option", `--allocation global does not go with --criterion ${name}`, {
      hint: `it needs neurons scored one by one: ${able.join(", ")}`,
    });
  }
  const ranksHeads = heads.kind !== "none" || (allocation.kind === "loss" && allocation.of === "all");
  if (ranksHeads && blockCosts === undefined)
    throw new CompError("option", `--criterion ${name} ranks neurons and no heads`, {
      hint: "cut neurons only: --prune mlp",
    });
}

function backwardNeeds(
  criterion: Criterion,
  { towardsDense }: Recovery,
  weighsExperts: boolean,
  heads: HeadRule,
  allocation: Allocation,
): BackwardNeeds {
  const weighsHeads = heads.kind !== "none" || (allocation.kind === "loss" && allocation.of === "all");
  const scope = weighsHeads || towardsDense === true ? "both" : "mlp";
  const needsFactor = criterion.needsFisherFactor === true || towardsDense === true || weighsExperts;
  return {
    fisherFactors: needsFactor || allocation.kind === "loss" ? scope : "none",
    weightSensitivity: criterion.needsWeightSensitivity === true ? scope : "none",
  };
}
