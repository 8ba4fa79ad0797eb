// The table of model families. A new one that is made of known parts is a file of its own and a row here.
import { CompError, describeValue } from "../../errors.ts";
import type { ModelConfig } from "../config/config-fields.ts";
import { arcee } from "./arcee.ts";
import { ernie4_5 } from "./ernie4-5.ts";
import { exaone4 } from "./exaone4.ts";
import type { Family } from "./family.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { glm4 } from "./glm4.ts";
import { glm4Moe } from "./glm4-moe.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gptOss } from "./gpt-oss.ts";
import { gpt2 } from "./gpt2.ts";
import { granite } from "./granite.ts";
import { graniteMoe } from "./granite-moe.ts";
import { hunyuan } from "./hunyuan.ts";
import { lfm2 } from "./lfm2.ts";
import { lfm2Moe } from "./lfm2-moe.ts";
import { llama } from "./llama.ts";
import { ministral3 } from "./ministral3.ts";
import { mistral } from "./mistral.ts";
import { mixtral } from "./mixtral.ts";
import { nemotron } from "./nemotron.ts";
import { olmo2 } from "./olmo2.ts";
import { olmo3 } from "./olmo3.ts";
import { olmoe } from "./olmoe.ts";
import { opt } from "./opt.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen2Moe } from "./qwen2-moe.ts";
import { qwen3 } from "./qwen3.ts";
import { qwen3_5 } from "./qwen3-5.ts";
import { qwen3_5Moe } from "./qwen3-5-moe.ts";
import { qwen3Moe } from "./qwen3-moe.ts";
import { seedOss } from "./seed-oss.ts";
import { smollm3 } from "./smollm3.ts";
import { stablelm } from "./stablelm.ts";
import { starcoder2 } from "./starcoder2.ts";

export const FAMILIES: readonly Family[] = [
  llama,
  mistral,
  ministral3,
  qwen2,
  qwen3,
  qwen3_5,
  gemma,
  gemma2,
  gemma3,
  phi3,
  smollm3,
  olmo2,
  olmo3,
  granite,
  glm4,
  exaone4,
  seedOss,
  hunyuan,
  ernie4_5,
  arcee,
  nemotron,
  gpt2,
  opt,
  gptNeox,
  starcoder2,
  stablelm,
  lfm2,
  mixtral,
  qwen2Moe,
  qwen3Moe,
  qwen3_5Moe,
  olmoe,
  graniteMoe,
  gptOss,
  glm4Moe,
  lfm2Moe,
];

/** The family of a configuration; `source` names it in messages. @throws {CompError} "architecture" when there is none. */
export function familyOf(config: ModelConfig, source = "config.json"): Family {
  const { model_type: modelType } = config;
  const family = FAMILIES.find((row) => row.modelType === modelType);
  if (family !== undefined) return family;
  const what =
    modelType === undefined
      ? "gives no model_type"
      : `says model_type ${describeValue(modelType)}, which is not supported`;
  throw new CompError("architecture", `${source} ${what}`, {
    hint: `supported: ${FAMILIES.map((row) => row.modelType).join(", ")}`,
  });
}
