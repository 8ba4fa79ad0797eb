// comp inspect MODEL: what a checkpoint is and what of it can be pruned.
import * as z from "zod";
import type { Inspection, LayerShape, TokenizerFacts } from "../events/model.ts";
import { formatBytes, formatCount, formatInteger, formatPercent } from "../report/format.ts";
import type { Command, CommandContext } from "./command.ts";

type InspectFlags = { json: boolean };

export const inspectCommand: Command = {
  name: "inspect",
  summary: "show architecture, shapes, parameters, tokenizer",
  flags: z.strictObject({
    json: z.boolean().default(false).describe("print everything as one line of JSON"),
  }),
  examples: ["comp inspect ./SmolLM2-135M", "comp inspect model.gguf --json"],
  run: runInspect,
};

async function runInspect(model: string, { json }: InspectFlags, { library, screen }: CommandContext): Promise<void> {
  const inspection = await library.inspect({ model });
  if (json) screen.print(JSON.stringify(inspection));
  else for (const line of renderInspection(inspection)) screen.print(line);
}

export function renderInspection(inspection: Inspection): string[] {
  const { parameters, tokenizer } = inspection;
  return [
    `${inspection.model} (${inspection.family}, ${inspection.format})`,
    `  hidden        ${inspection.hiddenSize}, heads of ${inspection.headDim}, at most ${formatInteger(inspection.maxPositionEmbeddings)} tokens`,
    ...groupLayers(inspection.layers).map(([range, layer]) => `  ${range.padEnd(12)}  ${renderShape(layer)}`),
    `  weights       ${formatBytes(inspection.bytes)}, tensors: ${renderDtypes(inspection.dtypes)}`,
    "",
    `  parameters    ${formatInteger(parameters.total)}`,
    ...(["embeddings", "attention", "mlp", "norms", "head"] as const).map(
      (part) => `    ${part.padEnd(10)}  ${renderShare(parameters[part], parameters.total)}`,
    ),
    "",
    `  tokenizer     ${renderTokenizer(tokenizer)}`,
    `  can prune     ${inspection.layers.length} whole layers; MLP neurons, ${formatPercent(parameters.mlp / parameters.total)} of all parameters`,
  ];
}

/** "272 F16" */
export const renderDtypes = (dtypes: Inspection["dtypes"]): string =>
  Object.entries(dtypes)
    .map(([dtype, count]) => `${count} ${dtype}`)
    .join(", ");

export function renderTokenizer(tokenizer: TokenizerFacts | undefined): string {
  if (tokenizer === undefined) return "none that can be used";
  const { vocabSize, withoutEmbedding, bosTokenId, addsBos, eosTokenIds } = tokenizer;
  const tokens = `${formatInteger(vocabSize)} tokens`;
  const missing = withoutEmbedding === 0 ? "" : `, ${formatInteger(withoutEmbedding)} of them with no embedding`;
  const bos = bosTokenId === undefined ? "no BOS" : `BOS ${bosTokenId}${addsBos ? ", added to every text" : ""}`;
  return `${tokens}${missing}, ${bos}, end of text ${eosTokenIds.join(", ") || "unknown"}`;
}

/** Neighbouring layers of one shape share a line: "layers 0-29". */
function groupLayers(layers: readonly LayerShape[]): [range: string, shape: LayerShape][] {
  const groups: { first: number; last: number; shape: LayerShape }[] = [];
  layers.forEach((shape, index) => {
    const group = groups.at(-1);
    if (group !== undefined && renderShape(group.shape) === renderShape(shape)) group.last = index;
    else groups.push({ first: index, last: index, shape });
  });
  return groups.map(({ first, last, shape }) => [first === last ? `layer ${first}` : `layers ${first}-${last}`, shape]);
}

function renderShape(layer: LayerShape): string {
  const mlp = layer.intermediateSize === 0 ? "no MLP" : `MLP ${layer.intermediateSize}`;
  if (layer.mixer === undefined) return `${mlp}, no attention`;
  if (layer.mixer !== "attention") return `${mlp}, ${layer.mixer.replace("-", " ")}`;
  const heads = `${layer.numAttentionHeads} heads, ${layer.numKeyValueHeads} for keys and values`;
  const window = layer.slidingWindow === undefined ? "" : `, window ${layer.slidingWindow}`;
  return `${mlp}, ${heads}${window}`;
}

const renderShare = (count: number, total: number): string =>
  `${formatCount(count).padStart(8)}  ${formatPercent(count / total).padStart(6)}`;
