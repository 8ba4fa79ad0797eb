// The ways to meet a limit, from headers alone: of each setting of the axes below, as little pruning as it takes.
import type { Limit } from "../allocation/fit-limits.ts";
import { mostReachable } from "../allocation/layer-count.ts";
import { planPrune } from "../allocation/plan.ts";
import { CompError } from "../errors.ts";
import type { FitMix } from "../events/fit.ts";
import type { Method } from "../method/method.ts";
import { type OutputFormat, outputFormat } from "../method/output-format.ts";
import { neuronBlockSize, weightBytes } from "../method/output-types.ts";
import { resolveMethod } from "../method/resolve-method.ts";
import type { Model } from "../model/model.ts";
import { layerIndices } from "../model/spec/layer-index.ts";
import { roundedBytes } from "../model/write/rounded-model.ts";
import type { PruneOptions } from "../options/prune.ts";
import { formatBytes } from "../report/format.ts";

/** What one setting of the axes fixes; the sparsity makes up for what is left. A further axis is a property and a loop in `settings`. */
type Setting = Pick<PruneOptions, "dtype">;

/** The types that are tried; "auto" keeps each tensor's own. */
const DTYPES: Readonly<Record<OutputFormat["format"], readonly PruneOptions["dtype"][]>> = {
  gguf: ["auto", "f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m", "q2_k"],
  safetensors: ["auto", "bf16"],
};

const settings = (format: OutputFormat["format"]): Setting[] => DTYPES[format].map((dtype) => ({ dtype }));

/** Sparsities are found to so much. */
const STEP = 1 / 512;
const MOST = 0.95;

export interface MixRequest {
  readonly model: Model;
  readonly options: PruneOptions;
  readonly format: OutputFormat["format"];
  readonly limits: readonly Limit[];
}

/** What has to fit, at any sparsity. */
interface Sizer {
  /** The largest share that a model takes of a limit; it fits up to 1. */
  share(sparsity: number): number;
  readonly most: number;
}

/**
 * One mix for each setting that can meet the limits.
 *
 * @throws {CompError} "budget" when none can, naming the nearest limit that can be met
 */
export async function plannedMixes(request: MixRequest): Promise<FitMix[]> {
  const { limits, format } = request;
  const mixes: FitMix[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const setting of settings(format)) {
    const sizer = await sizerOf(request, setting);
    const smallest = sizer.share(sizer.most);
    least = Math.min(least, smallest);
    if (smallest > 1) continue;
    const sparsity = fewest(sizer);
    mixes.push({ ...setting, sparsity, bytes: Math.round(sizer.share(sparsity) * limits[0]!.bytes) });
  }
  if (mixes.length > 0) return mixes;
  throw unmet(limits, least);
}

async function sizerOf({ model, options, format, limits }: MixRequest, setting: Setting): Promise<Sizer> {
  const output = outputFormat({ ...options, ...setting }, format);
  const { method: resolved } = resolveMethod({ ...options, ...setting, sparsity: MOST }, model.spec, output);
  const method: Method = { ...resolved, blockSize: neuronBlockSize(model, output) };
  const around = await bytesAroundWeights(model, output);
  return {
    most: mostReachable(model.spec, method, MOST),
    share: (sparsity) => {
      const plan = planPrune(model, method, sparsity, output);
      return Math.max(...limits.map((limit) => limit.takes(plan, around) / limit.bytes));
    },
  };
}

/** Header and tokenizer of a GGUF file, the same in all types; of a folder only the weights are planned. */
async function bytesAroundWeights(model: Model, output: OutputFormat): Promise<number> {
  if (output.format !== "gguf") return 0;
  const whole = { spec: model.spec, keptLayers: layerIndices(model.spec) };
  return (await roundedBytes(model, "f16")) - weightBytes(model, whole, { ...output, dtype: "f16" });
}

/** The least sparsity that fits. */
function fewest({ share, most }: Sizer): number {
  if (share(0) <= 1) return 0;
  let [tooLittle, enough] = [0, most];
  while (enough - tooLittle > STEP) {
    const middle = (tooLittle + enough) / 2;
    if (share(middle) <= 1) enough = middle;
    else tooLittle = middle;
  }
  return enough;
}

function unmet(limits: readonly Limit[], least: number): CompError {
  const [limit] = limits;
  const asked = limits.map(({ name, bytes }) => `${formatBytes(bytes)} of ${name}`).join(" and ");
  // a little more, so that what is said can be given as it is
  const nearest = limits.map(({ bytes }) => formatBytes(Math.ceil(1.02 * least * bytes))).join(" and ");
  const flag = limit!.name === "size" ? "--size" : "--runtime-memory";
  return new CompError(
    "budget",
    `no model made of this one fits into ${asked}; the nearest that one does is ${nearest}`,
    {
      hint: `give ${flag} ${nearest.split(" and ")[0]!.replace(" ", "")}, or begin with a smaller model`,
    },
  );
}
