// README.md of a pruned folder: what was cut, what it cost, how to load it, whose licence applies.
import { baseName } from "../checkpoint/storage.ts";
import type { BeforeAfter, CalibrationSummary, Quality } from "../events/common.ts";
import type { PruneResult } from "../events/prune.ts";
import { MODELING_FILE } from "../model/write/modeling-file.ts";
import { VERSION } from "../version.ts";
import { describeMaking, formatBytes, formatFigure, formatInteger, formatPercent } from "./format.ts";
import { probeSection } from "./probes.ts";
import { OVER_KEPT_TOKENS, vocabularySection } from "./vocabulary.ts";

/**
 * Renders the model card.
 *
 * @param sourceCard README.md of the source, whose licence is carried over; undefined when it has none
 */
export function renderModelCard(result: PruneResult, sourceCard: string | undefined): string {
  const source = baseName(result.model);
  const name = baseName(result.output);
  return [
    ...frontMatter(licenceOf(sourceCard), result.quality === undefined ? ["comp"] : ["pruned", "comp"]),
    `# ${name}`,
    "",
    result.quality === undefined
      ? `${source}, written anew by COMP (\`comp-llm\`): nothing${result.vocabulary ? " but tokens" : ""} was removed, so that nothing was measured.`
      : `${source}, made smaller by structured pruning with COMP (\`comp-llm\`): ${describeCut(result)}`,
    "",
    ...figures(result),
    "",
    `${describeMeasurement(result)}Made by ${describeMaking(VERSION, { ...result, seed: result.options.seed })}. \`pruning.json\` holds the options, the source's fingerprint and the kept indices.`,
    "",
    ...probeSection(result.probes),
    ...(result.vocabulary ? vocabularySection(result.vocabulary) : []),
    ...loading(name, result.files.includes(MODELING_FILE)),
    "",
    "## Licence",
    "",
    `This model is derived from ${source}; the licence of ${source} applies.`,
    "",
  ].join("\n");
}

/** The `license` and related fields in the front matter of a model card, line by line. */
export function licenceOf(card: string | undefined): string[] {
  const front = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card ?? "")?.[1] ?? "";
  return front.split(/\r?\n/).filter((line) => /^license(_name|_link)?: *\S/.test(line));
}

const frontMatter = (licence: readonly string[], tags: readonly string[]): string[] => [
  "---",
  ...licence,
  "library_name: transformers",
  "pipeline_tag: text-generation",
  "tags:",
  ...tags.map((tag) => `- ${tag}`),
  "---",
  "",
];

function describeCut(result: PruneResult): string {
  const { layersRemoved, intermediateSize, options, sparsity } = result;
  const layers =
    layersRemoved.length === 0
      ? "all layers kept"
      : `layer${layersRemoved.length === 1 ? "" : "s"} ${layersRemoved.join(", ")} removed`;
  const { before, after } = intermediateSize;
  const width = before === after ? `MLP width ${before} kept` : `MLP width ${before} → ${after}`;
  const heads = describeHeads(result);
  const cut = [
    ...(before === after ? [] : [`neurons chosen by \`${options.criterion}\``]),
    ...describeCriterion(result),
  ];
  const chosen = cut.length > 0 ? cut.join(", ") : `neurons chosen by \`${options.criterion}\``;
  const method = `preset \`${options.preset}\`: ${chosen}, recovery by \`${options.recovery}\``;
  return `${layers}, ${width}, ${describeExperts(result)}${heads}${method}. ${formatPercent(sparsity.all)} of all parameters are gone.`;
}

const losesExperts = ({ numExperts }: PruneResult): boolean =>
  numExperts !== undefined && numExperts.after < numExperts.before;

const describeExperts = (result: PruneResult): string =>
  losesExperts(result) ? `experts ${result.numExperts!.before} → ${result.numExperts!.after} of each mixture, ` : "";

const describeCriterion = (result: PruneResult): string[] =>
  losesExperts(result) ? [`experts chosen by \`${result.options.expertCriterion}\``] : [];

function describeHeads({ numAttentionHeads, numKeyValueHeads }: PruneResult): string {
  if (numAttentionHeads.after === numAttentionHeads.before) return "";
  const change = ({ before, after }: BeforeAfter): string => `${formatFigure(before)} → ${formatFigure(after)}`;
  return `heads ${change(numAttentionHeads)}, for keys and values ${change(numKeyValueHeads)}, `;
}

function describeMeasurement({ calibration, quality, vocabulary }: PruneResult): string {
  if (quality === undefined) return "";
  const extent = `${formatInteger(quality.tokens)} tokens of ${quality.on}`;
  return `Perplexity, divergence and agreement were measured on ${extent} (${describeCalibration(calibration)})${vocabulary ? `, ${OVER_KEPT_TOKENS}` : ""}. `;
}

function describeCalibration({ source, windows, ownWindows, context, names }: CalibrationSummary): string {
  const beside = ownWindows > 0 ? `, ${ownWindows} of them text that the model itself generated` : "";
  const origin = {
    file: `from ${names.join(", ")}${beside}`,
    "self-generated": "of text that the model itself generated",
    bundled: "of comp's bundled texts",
  };
  return `calibration: ${windows} windows of ${context} tokens ${origin[source]}`;
}

const row = (name: string, before: string, after: string): string => `| ${name} | ${before} | ${after} |`;

function figures(result: PruneResult): string[] {
  const { parameters, decoderParameters, bytes, quality } = result;
  return [
    row("", "before", "after"),
    "|---|---|---|",
    row("parameters", formatInteger(parameters.before), formatInteger(parameters.after)),
    row("of them in decoder layers", formatInteger(decoderParameters.before), formatInteger(decoderParameters.after)),
    row("weights", formatBytes(bytes.before), formatBytes(bytes.after)),
    ...(quality === undefined ? [] : qualityRows(quality)),
  ];
}

const qualityRows = ({ perplexity, klDivergence, topOneAgreement }: Quality): string[] => [
  row("perplexity", formatFigure(perplexity.before), formatFigure(perplexity.after)),
  row("KL divergence, nats a token", "0", formatFigure(klDivergence)),
  row("same most likely token", "100 %", formatPercent(topOneAgreement)),
];

const loading = (name: string, bringsCode: boolean): string[] => [
  "## Use",
  "",
  bringsCode
    ? `What no stock class loads is in \`${MODELING_FILE}\`, which \`trust_remote_code=True\` allows to run:`
    : "A standard checkpoint, no extra code:",
  "",
  "```python",
  "from transformers import AutoModelForCausalLM, AutoTokenizer",
  "",
  `model = AutoModelForCausalLM.from_pretrained("./${name}"${bringsCode ? ", trust_remote_code=True" : ""})`,
  `tokenizer = AutoTokenizer.from_pretrained("./${name}")`,
  "```",
  "",
  ...(bringsCode ? ["For llama.cpp, prune into a GGUF file instead."] : converting(name)),
];

const converting = (name: string): string[] => [
  "For llama.cpp, convert it first:",
  "",
  "```sh",
  `python convert_hf_to_gguf.py ./${name} --outfile ${name}.gguf`,
  "```",
];
