// Methods and settled options from as few options as a test cares for.
import type { Method } from "../../src/method/method.ts";
import type { OutputFormat } from "../../src/method/output-format.ts";
import { type ResolvedMethod, resolveMethod } from "../../src/method/resolve-method.ts";
import { settleOptions } from "../../src/method/settle-options.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import { PruneOptions, type SettledOptions } from "../../src/options/prune.ts";
import { parseOptions } from "../../src/options/schema.ts";

/** Options with their defaults and their preset's choices. */
export const settled = (options: object): SettledOptions => settleOptions(parseOptions(PruneOptions, options));

const F16: Readonly<Record<OutputFormat["format"], OutputFormat>> = {
  safetensors: { format: "safetensors", dtype: "F16" },
  gguf: { format: "gguf", dtype: "f16", weighted: false },
};

/** What options add up to for a model that is written as F16. */
export const resolved = (
  options: object,
  spec: DecoderSpec,
  format: OutputFormat["format"] = "safetensors",
): ResolvedMethod => resolveMethod(parseOptions(PruneOptions, options), spec, F16[format]);

export const methodOf = (options: object, spec: DecoderSpec, format?: OutputFormat["format"]): Method =>
  resolved(options, spec, format).method;
