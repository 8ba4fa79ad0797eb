// What a run will take, from the headers alone: a rough guide, told as such.
import { windowCount } from "../calibration/amount.ts";
import { CACHE_BYTES, sampleBytes } from "../calibration/self-generated.ts";
import type { PrunePlan } from "../events/prune.ts";
import { RESIDENT_BYTES } from "../forward/run/spilled-states.ts";
import { aimsAtDense, needsLossCovariance, type Sweep, searchesSplit } from "../method/sweep.ts";
import { widestMlp } from "../model/config/layer-sizes.ts";
import type { DecoderSpec } from "../model/spec/decoder-spec.ts";
import { countParameters } from "../model/spec/parameters.ts";
import { keptBytes } from "../prune/projection-statistics.ts";
import { isScarce } from "../recover/choose-ridge.ts";
import { COST_TOKENS, FORK_TOKENS, LARGE_FORK_TOKENS } from "../sensitivity/cost-curves.ts";
import { COVARIANCE_TOKENS } from "../sensitivity/fisher-factors.ts";
import { LAYER_FORK_TOKENS } from "../sensitivity/layer-ablation.ts";

/** Measured on 2 cores: 2 · 10¹¹ operations a second in the sweeps, a fifth where a batch of texts is written token by token. */
const FLOPS_PER_SECOND = 2e11;
const ONE_BY_ONE = 5;

/** Starting, reading and writing, and the windows that judge the result. */
const FIXED_SECONDS = 2;
const JUDGED_WINDOWS = 8;

/** Trials of splits, each on an eighth of the windows: three on average. */
const TRIAL_SWEEPS = 3 / 8;

const BASE_BYTES = 300 * 2 ** 20; // the runtime itself
const ACTIVATION_TOKENS = 2048;

type Work = Pick<Sweep, "criterion" | "options"> & {
  readonly spec: DecoderSpec;
  /** Whether the model can write text of its own. */
  readonly writes: boolean;
};

export const expectedCost = (work: Work): Pick<PrunePlan, "expectedPeakBytes" | "expectedSeconds"> => ({
  expectedPeakBytes: expectedPeakBytes(work),
  expectedSeconds: expectedSeconds(work),
});

const expectedPeakBytes = (work: Work): number => BASE_BYTES + Math.max(pruningBytes(work), writingBytes(work));

/** All weights as f32, and keys and values of the samples that are written together. */
function writingBytes(work: Work): number {
  const { spec, options } = work;
  const samples = Math.round(writtenShare(work) * windowCount(spec, options));
  if (samples === 0) return 0;
  return 4 * countParameters(spec).total + Math.min(CACHE_BYTES, samples * sampleBytes(spec, options.context));
}

/** Share of the windows that the model writes itself. */
const writtenShare = ({ writes, options }: Work): number =>
  writes ? (options.calibration.length === 0 ? 1 : options.ownText) : 0;

/** One layer twice, hidden states of all tokens, activations of a batch, the matrices of the neurons, and neurons of all tokens. */
function pruningBytes(work: Work): number {
  const { spec, options } = work;
  const layer = Math.max(...countParameters(spec).layers.map(({ total }) => total));
  const width = widestMlp(spec.layers);
  const tokens = windowCount(spec, options) * options.context;
  const hidden = streams(work) * Math.min(RESIDENT_BYTES, 4 * tokens * spec.hiddenSize);
  const activations = 4 * ACTIVATION_TOKENS * (4 * width + 8 * spec.hiddenSize);
  const holdsOut = aimsAtDense(work) && isScarce(tokens, width);
  // Gram matrix, weight products, two f64 matrices of the inverse, and the Gram matrix of what is held out
  const neurons = (4 + 4 + 8 + 8 + (holdsOut ? 4 : 0)) * width ** 2;
  return 2 * 4 * layer + hidden + activations + neurons + (holdsOut ? 0 : keptBytes(tokens, width));
}

function expectedSeconds(work: Work): number {
  const { spec, options } = work;
  const tokens = windowCount(spec, options) * options.context;
  const head = 2 * spec.vocabSize * spec.hiddenSize;
  const decoder = 2 * countParameters(spec).decoderMatrices;
  const sweep = pruningSweep(work, tokens);
  const sensing = needsLossCovariance(work) ? sensingSweeps(work, decoder, head) : 0;
  const trials = searchesSplit(work) ? TRIAL_SWEEPS * sweep : 0;
  const judging = JUDGED_WINDOWS * options.context * 2 * (decoder + head);
  const own = writtenShare(work) * ONE_BY_ONE * tokens * (decoder + head);
  return FIXED_SECONDS + (sweep + sensing + trials + judging + own) / FLOPS_PER_SECOND;
}

/** Every stream through the layers, one more pass for the moments, Gram matrices, inverses and refits. */
function pruningSweep(work: Work, tokens: number): number {
  const { spec } = work;
  const passes = (streams(work) + 1) * tokens * 2 * countParameters(spec).decoderMatrices;
  return spec.layers.reduce((sum, { intermediateSize: m }) => sum + 2 * tokens * m ** 2 + 12 * m ** 3, passes);
}

/** Forward, backward with the forward pass repeated, and forks that on average go through half of the layers. */
function sensingSweeps(work: Work, decoder: number, head: number): number {
  const { spec, options } = work;
  const isCompared = options.allocation === "loss";
  const gradient = (isCompared ? COST_TOKENS : COVARIANCE_TOKENS) * (4 * decoder + 3 * head);
  const forked = (isCompared ? FORK_TOKENS + LARGE_FORK_TOKENS : 0) + (searchesSplit(work) ? LAYER_FORK_TOKENS : 0);
  return gradient + forked * spec.layers.length * (decoder / 2 + Math.min(2 * head, decoder));
}

const streams = (work: Work): number => (aimsAtDense(work) ? 2 : 1);
