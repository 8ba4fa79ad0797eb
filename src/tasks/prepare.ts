// What comes before any arithmetic: the model opened, everything that is asked of it settled, the plan made, and whatever would
// make the run fail later refused, as far as headers tell.

import { ROUNDING } from "../allocation/equal-widths.ts";
import { headsOfEach, withoutHeads } from "../allocation/heads.ts";
import { anyLayers, mostReachable, planLayers, whyOutOfReach } from "../allocation/layer-count.ts";
import { type CutPlan, planPrune } from "../allocation/plan.ts";
import { equalSpec } from "../allocation/sizes.ts";
import { countedWhole, remainingSparsity } from "../allocation/vocabulary.ts";
import { type Calibration, prepareCalibration } from "../calibration/prepare.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { CompError } from "../errors.ts";
import type { PrunePlan } from "../events/prune.ts";
import type { Method } from "../method/method.ts";
import { checkHoldable, codeNeeded, type OutputFormat, omittedBy, outputFormat } from "../method/output-format.ts";
import {
  checkSameTypes,
  neuronBlockSize,
  openBlocks,
  rewrittenTypes,
  weightBytes,
  withExpertBytes,
} from "../method/output-types.ts";
import { type OwnCriterion, resolveMethod } from "../method/resolve-method.ts";
import { isLimited, settleOptions } from "../method/settle-options.ts";
import { areAlike } from "../model/config/layer-sizes.ts";
import { type Model, openModel } from "../model/model.ts";
import { type DecoderSpec, longestText } from "../model/spec/decoder-spec.ts";
import { layerIndices } from "../model/spec/layer-index.ts";
import { type PruneOptions, parseByteSize, type SettledOptions } from "../options/prune.ts";
import type { RunContext, SweepHost } from "../run-context.ts";
import { checkGgufTokenizer } from "../tokenizer/gguf/to-gguf.ts";
import { openTokenizer, tokenizerWarnings } from "../tokenizer/tokenizer.ts";
import { cutToTexts, type VocabularyCut } from "./cut-vocabulary.ts";
import { type MemoryPlan, planMemory } from "./memory-plan.ts";

export interface Job {
  /** With the tokens alone that stay. */
  readonly model: Model;
  /** What has gone of its vocabulary, where texts say what is to stay. */
  readonly vocabulary: VocabularyCut | undefined;
  readonly format: OutputFormat;
  readonly method: Method;
  /** The sparsity that is asked of `model`; under a limit of quality the most that can be reached. */
  readonly sparsity: number;
  /** The options that the method was made of, for the record. */
  readonly options: SettledOptions;
  readonly plan: PrunePlan;
  readonly memory: MemoryPlan;
  /** Whether nothing is to go: what is written is then the source's model. */
  readonly copies: boolean;
  readonly warnings: readonly string[];
}

/**
 * Opens a model and settles what is asked of it.
 *
 * @param own a criterion of one's own, instead of the one that the options name
 * @throws {CompError} for everything that would make the run fail later, as far as headers tell
 */
export async function prepareJob(
  source: Checkpoint,
  whole: PruneOptions,
  host: Pick<SweepHost, "outputFormat" | "freeMemoryBytes" | "signal">,
  own?: OwnCriterion,
): Promise<Job> {
  const vocabulary = whole.vocabulary.length === 0 ? undefined : await cutVocabulary(source, whole, host.signal);
  const given = vocabulary === undefined ? whole : besideVocabulary(whole, vocabulary);
  const model = await openModel(vocabulary?.checkpoint ?? source);
  const asked = outputFormat(given, host.outputFormat);
  checkSameTypes(model, given, asked);
  const resolved = resolveMethod(given, model.spec, asked, own);
  const any = { ...resolved.method, blockSize: neuronBlockSize(model, asked) };
  const { goal } = any;
  const sparsity = goal.kind === "quality" ? mostWithin(model.spec, any, goal.most) : goal.sparsity;
  const limited = goal.kind === "quality" ? { ...any, goal: { ...goal, most: sparsity } } : any;
  const cut = planPrune(model, limited, sparsity, asked);
  const written = keepsNeurons(limited, cut) ? withExpertBytes(model, asked) : asked;
  const method = { ...limited, refitsExperts: limited.refitsExperts && written.dtype !== "same-experts" };
  const changes = sparsity > 0 || cut.parameters.after !== cut.parameters.before;
  const copies = !changes && method.importance !== "all";
  if (sparsity === 0 && goal.kind === "quality" && changes)
    throw new CompError("option", "--sparsity 0 leaves a limit of quality nothing to try", {
      hint: "leave the limit out, or raise --sparsity",
    });
  const format = copies ? copying(written) : written;
  const limit = given.memory === undefined ? undefined : parseByteSize(given.memory);
  const asksOwnText = given.ownText !== undefined;
  const work = { spec: model.spec, method, copies, asksOwnText, probes: given.probes > 0 };
  const memory = planMemory(work, limit, host.freeMemoryBytes());
  const { expectedPeakBytes } = memory;
  const figures = countedWhole(copies ? copyPlan(model, cut, format) : cut, vocabulary?.result);
  const plan = { ...figures, ...(vocabulary && { vocabulary: vocabulary.result }), expectedPeakBytes };
  const lacking = await checkOutput(model, method, sparsity, format, copies);
  const told = [...tokenizerWarnings(source), ...lacking];
  const isLeftOut = work.asksOwnText && method.calibration.ownText > 0 && memory.ownText === "none";
  const warnings = copies ? told : [...told, ...resolved.warnings, ...(isLeftOut ? [NO_OWN_TEXT] : [])];
  const askedSparsity = vocabulary === undefined ? sparsity : settleOptions(whole).sparsity;
  return {
    model,
    vocabulary,
    format,
    method,
    sparsity,
    options: { ...resolved.options, sparsity: askedSparsity },
    plan,
    memory,
    copies,
    warnings,
  };
}

const NO_OWN_TEXT =
  "the model writes no text of its own: there is no memory for a layer and what it remembers of one sample";

/** The first stage: the vocabulary gives what it can, and where a fraction of all parameters is to go no more than that. */
function cutVocabulary(
  source: Checkpoint,
  given: PruneOptions,
  signal: AbortSignal | undefined,
): Promise<VocabularyCut> {
  const { vocabulary, vocabularySize } = given;
  const counts = given.sparsityOf === "all" && !isLimited(given);
  const sparsity = counts ? settleOptions(given).sparsity : 0;
  return cutToTexts(source, { vocabulary, vocabularySize, sparsity }, signal);
}

/** What is left to ask of a model whose vocabulary is cut. */
function besideVocabulary(given: PruneOptions, { result }: VocabularyCut): PruneOptions {
  if (given.sparsityOf !== "all") return given;
  const sparsity = remainingSparsity(settleOptions(given).sparsity, result.parameters);
  // nothing more is to go, whatever the quality
  if (sparsity === 0) return { ...given, sparsity, maxKl: undefined, maxPerplexityIncrease: undefined };
  return { ...given, sparsity };
}

/** The most that trials may reach. @throws {CompError} "budget" when that is nothing */
function mostWithin(spec: DecoderSpec, method: Method, most: number): number {
  if (most === 0) return 0;
  const reachable = mostReachable(spec, method, most);
  if (reachable > ROUNDING) return reachable;
  throw new CompError("budget", whyOutOfReach(spec, method, most)!, { hint: "remove layers, or lower --multiple-of" });
}

/** Whether whole experts go and no neurons of those that are left. */
const keepsNeurons = ({ experts, goal }: Method, { intermediateSize: { before, after } }: CutPlan): boolean =>
  goal.kind === "sparsity" && (experts.kind === "count" || experts.kind === "only") && before === after;

/** The format in which nothing changes that need not. */
const copying = (format: OutputFormat): OutputFormat =>
  format.dtype === "same" ? { ...format, dtype: "copied" } : format;

const copyPlan = (model: Model, cut: CutPlan, format: OutputFormat): CutPlan => ({
  ...cut,
  bytes: {
    ...cut.bytes,
    after: weightBytes(model, { spec: model.spec, keptLayers: layerIndices(model.spec) }, format),
  },
  searchesSplit: false,
  widths: areAlike(model.spec.layers) ? "equal" : "per-layer",
});

/**
 * Refuses an output that cannot hold the result, as far as it is known: calibration may have to tell which layers go.
 * Returns warnings of what the output lacks.
 */
async function checkOutput(
  model: Model,
  method: Method,
  sparsity: number,
  format: OutputFormat,
  copies: boolean,
): Promise<string[]> {
  const { spec } = model;
  const cut = planLayers(spec, method, sparsity);
  const kept = anyLayers(spec, cut);
  const known = cut.removed === undefined ? layerIndices(spec) : kept;
  const after = copies ? spec : equalSpec(spec, kept, method, sparsity, known);
  const perLayer = method.widths === "per-layer" && !copies;
  await checkHoldable(model, after, format, perLayer);
  if (method.heads.kind === "search") await checkHoldable(model, withHeadLess(after), format, perLayer);
  if (format.format === "gguf") await checkGgufTokenizer(model.checkpoint, spec.vocabSize);
  const types = copies
    ? []
    : [openBlocks(model, { spec: after, keptLayers: known }, format), rewrittenTypes(model, format)];
  return [omittedBy(spec, format), codeNeeded(after, format), ...types].filter((message) => message !== undefined);
}

/** The least that trials may take of the heads. */
function withHeadLess(spec: DecoderSpec): DecoderSpec {
  const less = headsOfEach(spec, 1);
  return less === undefined ? spec : withoutHeads(spec, { heads: { kind: "count", ...less }, protectedLayers: [] }, 0);
}

/** Cuts the calibration text into windows, and says what of it one should know. */
export async function calibrate(
  run: RunContext,
  { model, method }: Job,
  { bundledText }: SweepHost,
): Promise<Calibration> {
  const choice = method.calibration;
  const open = () => openTokenizer(model.checkpoint);
  const calibration = await prepareCalibration(run, { model, openTokenizer: open, choice, bundledText });
  run.report({ type: "calibration", ...calibration.summary });
  const longest = longestText(model.spec);
  if (choice.context > longest) {
    const message = `windows of ${choice.context} tokens are longer than the ${longest} that the model was made for`;
    run.report({ type: "warning", message });
  }
  return calibration;
}
