// One decoder layer as a graph of two sublayers: token mixer and channel mixer, each with its residual. Everything that differs
// between families is read from the DecoderSpec; nothing here knows a family by name.
import type { Value } from "../../compute/graph.ts";
import { add, scale } from "../../compute/operations/elementwise.ts";
import type { OutputProjection } from "../../linalg/projection.ts";
import type { DecoderLayer, LayerWeights } from "../../model/read-layer.ts";
import type { DecoderSpec, NormRole } from "../../model/spec/decoder-spec.ts";
import { hasSublayer, type LayerRole, type Sublayer, sublayerOf } from "../../model/spec/roles.ts";
import { attend } from "./attention.ts";
import { deltaRule } from "./gated-delta.ts";
import { type LayerContext, type LayerValues, type Mixed, type MixerState, project } from "./layer-values.ts";
import { neurons } from "./mlp.ts";
import { inputNorm, inputNormOf, norm } from "./norms.ts";
import { declarePosition, type Position } from "./position.ts";
import { convolve } from "./short-convolution.ts";

/** What takes part in the projection that ends a sublayer. */
export const PROJECTION_ROLES: Readonly<
  Record<Sublayer, Readonly<{ weight: LayerRole; bias: LayerRole; outputNorm: NormRole }>>
> = {
  attention: { weight: "oProj", bias: "oBias", outputNorm: "attentionOutputNorm" },
  mlp: { weight: "downProj", bias: "downBias", outputNorm: "mlpOutputNorm" },
};

/** The projection that ends a sublayer: o_proj or down_proj. The layer has that sublayer. */
export function projectionOf(name: Sublayer, { weights }: DecoderLayer): OutputProjection {
  const { data, shape } = weights[PROJECTION_ROLES[name].weight]!;
  return { weight: data, inputSize: shape[1]!, outputSize: shape[0]! };
}

/**
 * Whether the MLP of a layer is added together with its attention: the MLP's graph then begins where the layer does and has the
 * attention in it, and the attention alone moves nothing.
 */
export const isParallel = ({ parallel }: DecoderSpec, { sizes }: Pick<DecoderLayer, "sizes">): boolean =>
  parallel && hasSublayer("attention", sizes) && hasSublayer("mlp", sizes);

/** The weights that the graph of a sublayer takes. */
export function sublayerWeights(name: Sublayer, spec: DecoderSpec, layer: DecoderLayer): LayerWeights {
  if (name === "mlp" && isParallel(spec, layer)) return layer.weights;
  const normOfMlp = inputNormOf(spec, "mlp");
  const isUsed = (role: LayerRole): boolean =>
    sublayerOf(role) === name || (name === "mlp" && (role === normOfMlp || role === `${normOfMlp}Bias`));
  return Object.fromEntries(Object.entries(layer.weights).filter(([role]) => isUsed(role as LayerRole)));
}

/** Whether the graph of a sublayer takes the position of its tokens. */
export const takesPosition = (name: Sublayer, spec: DecoderSpec, layer: Pick<DecoderLayer, "sizes">): boolean =>
  name === "attention" || isParallel(spec, layer);

/** The end of a sublayer. */
export interface ProjectedValues {
  /** Input z of the projection that ends it: elements of the heads, or neurons. [tokens, inputSize] */
  readonly inputs: Value;
  /** Output of that projection, before a norm behind it. [tokens, hiddenSize] */
  readonly written: Value;
  /** What the output is added to. [tokens, hiddenSize] */
  readonly residual: Value;
  /** Residual stream after the sublayer. [tokens, hiddenSize] */
  readonly hidden: Value;
}

/** The values of a sublayer that others ask for. */
export interface SublayerValues extends ProjectedValues {
  /** What its other projections read: what enters it, behind a norm where there is one. [tokens, hiddenSize] */
  readonly normed: Value;
}

/** A token mixer, and what later tokens need of it. */
export interface MixerSublayer extends SublayerValues {
  readonly state: MixerState;
}

/** Both sublayers, as far as the layer has them. */
export interface WholeLayer {
  readonly attention: MixerSublayer | undefined;
  readonly mlp: SublayerValues | undefined;
  /** Residual stream after the layer. [tokens, hiddenSize] */
  readonly hidden: Value;
}

/**
 * The layer from its input x on, tokens of all windows in the rows of x [batch · length, hiddenSize].
 *
 * @param position of the tokens; by default that of windows that start at position 0, declared in the graph of x
 * @param past     what the token mixer remembers
 */
export function wholeLayer(
  context: LayerContext,
  x: Value,
  weights: LayerValues,
  position: Position = declarePosition(x.graph, context.spec, context.sizes, context.length),
  past?: MixerState,
): WholeLayer {
  const { spec, sizes } = context;
  const attention = hasSublayer("attention", sizes) ? mixerSublayer(context, x, weights, position, past) : undefined;
  const middle = attention?.hidden ?? x;
  const mlp = hasSublayer("mlp", sizes) ? mlpSublayer(context, spec.parallel ? x : middle, middle, weights) : undefined;
  return { attention, mlp, hidden: mlp?.hidden ?? middle };
}

/**
 * One sublayer over windows that start at position 0; a token mixer declares its position in the graph of x. x enters the
 * sublayer; the MLP of a parallel layer begins where the layer does.
 */
export function sublayer(name: Sublayer, context: LayerContext, x: Value, weights: LayerValues): SublayerValues {
  const { spec, sizes } = context;
  if (name === "mlp") {
    if (isParallel(spec, context)) return wholeLayer(context, x, weights).mlp!;
    return mlpSublayer(context, x, x, weights);
  }
  return mixerSublayer(context, x, weights, declarePosition(x.graph, spec, sizes, context.length));
}

/** x + mixer(norm(x)). */
function mixerSublayer(
  context: LayerContext,
  x: Value,
  weights: LayerValues,
  position: Position,
  past?: MixerState,
): MixerSublayer {
  const { spec, sizes } = context;
  const mixer = sizes.mixer!;
  const normed = inputNorm(spec, "attention", x, weights);
  const mix = (): Mixed => {
    switch (mixer.kind) {
      case "attention":
        return attend(context, mixer, normed, weights, position, past);
      case "short-convolution":
        return convolve(context, mixer, normed, weights, past);
      case "gated-delta":
        return deltaRule(context, mixer, normed, weights, past);
    }
  };
  const { inputs, state } = mix();
  return { ...projected("attention", spec, x, inputs, weights), normed, state };
}

/** residual + MLP(norm(x)); the two are the same where sublayers follow one another. */
function mlpSublayer({ spec }: LayerContext, x: Value, residual: Value, weights: LayerValues): SublayerValues {
  const normed = inputNorm(spec, "mlp", x, weights);
  return { ...projected("mlp", spec, residual, neurons(spec, normed, weights), weights), normed };
}

/** The end of a sublayer, from the inputs of its projection [tokens, inputSize] and the residual stream [tokens, hiddenSize]. */
export function projected(
  name: Sublayer,
  spec: DecoderSpec,
  residual: Value,
  inputs: Value,
  weights: LayerValues,
): ProjectedValues {
  const { weight, bias, outputNorm } = PROJECTION_ROLES[name];
  const gain = weights[outputNorm];
  const written = project(inputs, weights[weight]!, weights[bias]);
  const added = gain ? norm(spec, written, gain, weights[`${outputNorm}Bias`]) : written;
  return { inputs, written, residual, hidden: add(residual, scale(added, spec.residualScale)) };
}
