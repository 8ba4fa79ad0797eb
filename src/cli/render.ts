// Pruning events as text: the plan, one table row a layer as it is finished, the figures at the end.
import type { BeforeAfter, CalibrationSummary } from "../events/common.ts";
import type { LayerProgress, PrunePlan, PruneResult, Resumption, SplitTrial, Trial } from "../events/prune.ts";
import type { VocabularyResult } from "../events/vocabulary.ts";
import {
  describeCollapse,
  describeDevice,
  formatBytes,
  formatCount,
  formatFigure,
  formatInteger,
  formatPercent,
  formatSeconds,
} from "../report/format.ts";
import { renderProbeOutcome } from "../report/probes.ts";
import { describeRemoved, describeTexts, describeTokens, OVER_KEPT_TOKENS } from "../report/vocabulary.ts";

/** What will be cut and what it will cost, before anything is computed. */
export function renderPlan(plan: PrunePlan): string[] {
  const { layers, intermediateSize, numAttentionHeads: heads, numKeyValueHeads: shared } = plan;
  const which = plan.layersRemoved.length > 0 ? ` (without ${plan.layersRemoved.join(", ")})` : "";
  const open = plan.searchesSplit ? ", or fewer and wider ones where trials show that they keep more" : "";
  return [
    `${plan.model} (${plan.family})`,
    `  layers        ${layers.before} → ${layers.after}${which}${open}`,
    `  MLP width     ${intermediateSize.before} → ${intermediateSize.after}${plan.widths === "equal" ? "" : " on average"}`,
    ...renderExperts(plan),
    ...(heads.before === heads.after
      ? []
      : [`  heads         ${heads.before} → ${heads.after}, for keys and values ${shared.before} → ${shared.after}`]),
    ...(plan.vocabulary ? renderVocabulary(plan.vocabulary) : []),
    `  parameters    ${renderChange(plan.parameters, formatCount)}`,
    `  in layers     ${renderChange(plan.decoderParameters, formatCount)}`,
    `  weights       ${renderChange(plan.bytes, formatBytes)}`,
    `  expected      ${formatBytes(plan.expectedPeakBytes)} of memory, ${formatBytes(plan.bytes.after)} of disk`,
  ];
}

function renderExperts({ numExperts, searchesExperts }: PrunePlan): string[] {
  if (numExperts === undefined || (numExperts.before === numExperts.after && searchesExperts !== true)) return [];
  const open = searchesExperts ? ", or fewer and wider ones where trials show that they keep more" : "";
  return [`  experts       ${numExperts.before} → ${numExperts.after} of each mixture${open}`];
}

/** Which text the statistics come from. */
export function renderCalibration(summary: CalibrationSummary): string {
  const { source, names, windows, ownWindows, context, tokens } = summary;
  const beside = ownWindows > 0 ? `; ${ownWindows} windows written by the model itself` : "";
  const origin = {
    file: `${names.join(", ")}${beside}`,
    "self-generated": "text of the model's own",
    bundled: "the bundled mix",
  };
  return `  calibration   ${windows} windows × ${context} = ${formatInteger(tokens)} tokens of ${origin[source]}`;
}

/** That a run goes on where one was killed. */
export const renderResumption = ({ done, total }: Resumption): string =>
  done === 0 ? `going on before layer 1 of ${total}` : `going on after layer ${done} of ${total}`;

export const LAYER_HEADER: string = row("layer", "neurons", "heads", "error of the MLP", "time", "memory");

export function renderLayer(layer: LayerProgress): string {
  const error = `${layer.errorBefore.toFixed(3)} → ${layer.errorAfter.toFixed(3)}`;
  const neurons = `${layer.keptNeurons} of ${layer.totalNeurons}`;
  const heads = `${layer.keptHeads} of ${layer.totalHeads}`;
  return row(
    `${layer.index}`,
    neurons,
    heads,
    error,
    formatSeconds(layer.elapsedSeconds),
    formatBytes(layer.residentBytes),
  );
}

/** One try on the way to the largest cut within a limit of quality. */
export function renderTrial({ sparsity, quality, isWithin }: Trial): string {
  const { perplexity, klDivergence } = quality;
  const increase = formatPercent(perplexity.after / perplexity.before - 1);
  return `  tried         ${formatPercent(sparsity)} less: perplexity ${increase} more, KL divergence ${formatFigure(klDivergence)}, ${isWithin ? "within" : "beyond"} the limit`;
}

/** One way to share the cut between layers, experts, heads and neurons. */
export function renderSplit({ reached, layers, heads, experts, intermediateSize, klDivergence }: SplitTrial): string {
  const parts = [
    ...(heads === undefined ? [] : [`${heads} heads and `]),
    ...(experts === undefined ? [] : [`${experts} experts of `]),
  ];
  const sizes = `${layers} layers of ${parts.join("")}${intermediateSize} neurons`;
  return `  tried         ${sizes}, ${formatPercent(reached)} less: KL divergence ${formatFigure(klDivergence)} on part of the text`;
}

/** The figures of a finished run. */
export function renderResult(result: PruneResult): string[] {
  return [
    `parameters      ${renderChange(result.parameters, formatCount)}`,
    `in layers       ${renderChange(result.decoderParameters, formatCount)}`,
    `weights         ${renderChange(result.bytes, formatBytes)}`,
    ...renderTokens(result),
    ...renderQuality(result),
    ...renderProbeOutcome(result.probes),
    ...(result.layersRemoved.length === 0 ? [] : [`without         layers ${result.layersRemoved.join(", ")}`]),
    ...renderWidths(result),
    ...renderCollapse(result),
    `took            ${formatSeconds(result.seconds)}${describeDevice(result.device)}, ${formatBytes(result.peakBytes)} of memory at most`,
    `written         ${result.output}`,
  ];
}

const renderVocabulary = (vocabulary: VocabularyResult): string[] => [
  `  vocabulary    ${describeTokens(vocabulary)}`,
  ...describeTexts(vocabulary).map((line) => `                ${line}`),
];

function renderTokens({ vocabulary }: PruneResult): string[] {
  if (vocabulary === undefined) return [];
  const { removedProbability: removed } = vocabulary;
  const cost = removed === undefined ? [] : [`                ${describeRemoved(removed)}`];
  return [`vocabulary      ${describeTokens(vocabulary)}`, ...cost];
}

function renderQuality({ quality, vocabulary }: PruneResult): string[] {
  if (quality === undefined)
    return [`quality         nothing${vocabulary ? " but tokens" : ""} was removed, and nothing measured`];
  const { perplexity, klDivergence, topOneAgreement, tokens, on } = quality;
  return [
    `perplexity      ${formatFigure(perplexity.before)} → ${formatFigure(perplexity.after)}   on ${formatInteger(tokens)} tokens of ${on}`,
    `KL divergence   ${formatFigure(klDivergence)} nats a token, same first choice for ${formatPercent(topOneAgreement)}`,
    ...(vocabulary ? [`                ${OVER_KEPT_TOKENS}`] : []),
  ];
}

function renderCollapse({ quality }: PruneResult): string[] {
  const collapse = quality ? describeCollapse(quality.perplexity.after, quality.perplexity.before) : "";
  return collapse === "" ? [] : [`beware          ${collapse}; the model is of no use at this size`];
}

/** What the other choice of widths would have given. */
function renderWidths({ equalCostRatio, ownCostRatio }: PruneResult): string[] {
  const line = (widths: string, ratio: number): string =>
    `widths          ${widths} would have about ${ratio.toFixed(2)} times the divergence (predicted)`;
  if (equalCostRatio !== undefined) return [line("per layer; equal ones", equalCostRatio)];
  if (ownCostRatio !== undefined) return [line("equal; each layer's own (--widths per-layer)", ownCostRatio)];
  return [];
}

function renderChange(change: BeforeAfter, format: (count: number) => string): string {
  const removed = 1 - change.after / change.before;
  const difference = removed < 0 ? `${formatPercent(-removed)} more` : `${formatPercent(removed)} less`;
  return `${format(change.before)} → ${format(change.after)}   ${difference}`;
}

function row(layer: string, neurons: string, heads: string, error: string, time: string, memory: string): string {
  return `${layer.padStart(5)}  ${neurons.padStart(14)}  ${heads.padStart(9)}  ${error.padStart(17)}  ${time.padStart(11)}  ${memory.padStart(9)}`;
}
