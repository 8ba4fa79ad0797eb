// What a tokenizer adds to a text by itself, as far as it matters here: whether BOS comes first.
// Rules: huggingface/tokenizers, tokenizers/src/processors/
import { isObject, type PartJson, type TokenizerSource } from "./tokenizer-json.ts";

/** transformers rebuilds the template when add_bos_token is given, so the flag outranks tokenizer.json. */
export function addsBos({ json, config, specialTokens: { bosTokenId } }: TokenizerSource): boolean {
  if (bosTokenId === undefined) return false;
  const flag = config.add_bos_token;
  if (typeof flag === "boolean") return flag;
  return firstAdded(json.post_processor) === bosTokenId;
}

/** Id of the token that a post-processor puts before a text; undefined when it puts none there. */
function firstAdded(json: object | null): number | undefined {
  if (!isObject(json)) return undefined;
  const part = json as PartJson;
  switch (part.type) {
    case "Sequence":
      // each puts its tokens around what the one before it made
      return (part.processors as object[]).map(firstAdded).findLast((id) => id !== undefined);
    case "TemplateProcessing":
      return firstOfTemplate(part);
    case "BertProcessing":
    case "RobertaProcessing":
      return (part.cls as [string, number])[1];
    default:
      return undefined;
  }
}

function firstOfTemplate({ single, special_tokens: tokens }: PartJson): number | undefined {
  const [first] = single as { SpecialToken?: { id: string } }[];
  if (first?.SpecialToken === undefined) return undefined;
  return (tokens as Record<string, { ids: number[] }>)[first.SpecialToken.id]?.ids[0];
}
