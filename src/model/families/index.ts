// The table of model families. A new one that is made of known parts is a file of its own and a row here.
import { CompError } from "../../errors.ts";
import type { ModelConfig } from "../config/config-fields.ts";
import type { Family } from "./family.ts";
import { gemma3 } from "./gemma3.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { qwen2 } from "./qwen2.ts";

export const FAMILIES: readonly Family[] = [llama, mistral, qwen2, gemma3];

/** The family of a configuration; `source` names it in messages. @throws {CompError} "architecture" when there is none. */
export function familyOf(config: ModelConfig, source = "config.json"): Family {
  const { model_type: modelType } = config;
  const family = FAMILIES.find((row) => row.modelType === modelType);
  if (family !== undefined) return family;
  const what =
    modelType === undefined
      ? "gives no model_type"
      : `says model_type ${JSON.stringify(modelType)}, which is not supported`;
  throw new CompError("architecture", `${source} ${what}`, {
    hint: `supported: ${FAMILIES.map((row) => row.modelType).join(", ")}`,
  });
}
