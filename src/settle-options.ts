// What the options come to once model and output are known, and what cannot go together then.
import { cutsHeads } from "./allocation/heads.ts";
import { CompError } from "./errors.ts";
import type { Criterion } from "./importance/criterion.ts";
import { criteria } from "./importance/index.ts";
import type { DecoderSpec } from "./model/decoder-spec.ts";
import { withDownBias } from "./model/mlp-bias.ts";
import { layersOption, type OutputForm, widthsOption } from "./model/output-form.ts";
import type { PruneOptions } from "./options.ts";
import { headCostsOf } from "./prune-attention.ts";

/** The options as the output can carry them. @throws {CompError} "option" as `layersOption` */
export function settleOptions(spec: DecoderSpec, given: PruneOptions, form: OutputForm): PruneOptions {
  const options = { ...given, layers: layersOption(spec, given, form), ...widthsOption(spec, given, form) };
  return options.recovery === "bias" && !hasPlace(spec, options) ? { ...options, recovery: "none" } : options;
}

/** A warning of a bias for which the output has no place. */
export function lostBias(spec: DecoderSpec, { recovery }: PruneOptions, settled: PruneOptions): string[] {
  if (recovery === settled.recovery) return [];
  return [`a ${spec.family} of equal widths has no place for a bias; --recovery ${recovery} is left out`];
}

const hasPlace = (spec: DecoderSpec, { widths }: PruneOptions): boolean =>
  withDownBias(spec, widths === "per-layer") !== undefined;

/** @throws {CompError} "option" for what the criterion cannot rank */
export function checkCriterion(criterion: Criterion, options: PruneOptions): void {
  if (cutsHeads(options)) headCostsOf(criterion);
  if (options.allocation !== "global" || criterion.oneShot) return;
  const able = Object.values(criteria).filter(({ oneShot }) => oneShot);
  throw new CompError("option", `--allocation global does not go with --criterion ${criterion.name}`, {
    hint: `it needs neurons scored one by one: ${able.map(({ name }) => name).join(", ")}`,
  });
}
