// Code that a source folder brings along: classes that `auto_map` of config.json names, which transformers loads with
// `trust_remote_code=True`. It goes along with the pruned model as far as it still fits; ours is made anew.
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { CompError } from "../../errors.ts";
import type { ModelConfig } from "../config/config-fields.ts";
import { familyOf } from "../families/index.ts";
import type { Model } from "../model.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { sizesOf } from "../spec/parts.ts";
import { wholeClass } from "./base-class.ts";
import { ownAutoMap } from "./modeling-file.ts";
import { isStock } from "./pruned-config.ts";

/** Classes that do not depend on the sizes of the model. */
const SIZELESS = /^Auto(Tokenizer|Processor|ImageProcessor|FeatureExtractor|VideoProcessor)$/;

/**
 * Refuses a model whose own classes cannot be known to load what it becomes.
 *
 * @param perLayer its layers will differ in size
 * @throws {CompError} "architecture" for classes that need not fit, "checkpoint" for code that is not there
 */
export function checkOwnCode(source: Model, spec: DecoderSpec, perLayer: boolean): void {
  const { config, checkpoint, surroundings } = source;
  const whole = surroundings?.config;
  const classes = ownAutoMap(whole ?? config);
  if (classes === undefined) return;
  checkPresent(checkpoint, classes);
  const [name] = Object.keys(classes).filter((key) => !SIZELESS.test(key));
  const change = name === undefined ? undefined : whatNeedNotFit(source, spec, perLayer);
  if (change === undefined) return;
  const family = familyOf(config);
  const { architecture } = (whole && wholeClass(whole, family)) ?? family;
  const otherwise = whole ? "" : ", or write a GGUF file";
  throw new CompError(
    "architecture",
    `auto_map in config.json names code of the model's own (${classes[name!]}), which need not load ${change}`,
    {
      hint: `remove auto_map from config.json if ${architecture} of transformers loads the model too${otherwise}`,
    },
  );
}

/** What of the pruned model a class may not know that only has to know the source. */
function whatNeedNotFit({ config, spec: before }: Model, spec: DecoderSpec, perLayer: boolean): string | undefined {
  if (perLayer || !isStock(spec, spec.layers)) return "layers of these sizes";
  if (JSON.stringify(spec.bias) !== JSON.stringify(before.bias)) return "the biases that recovery adds";
  const statesHeadDim = (config.head_dim ?? undefined) !== undefined;
  const heads = ({ layers }: DecoderSpec): number => sizesOf(layers[0]!).numAttentionHeads;
  return heads(spec) === heads(before) || statesHeadDim ? undefined : "fewer heads of the same size";
}

/** A class is `module.Class` of a file in the folder, or `owner/name--module.Class` of one on the hub. */
function checkPresent({ name, files }: Checkpoint, classes: ModelConfig): void {
  const modules = Object.values(classes)
    .flat()
    .filter((value): value is string => typeof value === "string" && !value.includes("--"));
  const missing = modules.map((value) => `${value.split(".")[0]}.py`).find((file) => !files.includes(file));
  if (missing === undefined) return;
  throw new CompError("checkpoint", `${name} lacks ${missing}, which auto_map in config.json names`, {
    hint: "complete the download, or remove auto_map from config.json",
  });
}
