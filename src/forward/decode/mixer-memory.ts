// What the token mixer of one layer remembers between the steps of decoding: an attention the keys and values of all tokens, any
// other mixer a state of fixed size.
import { elementCount, type Tensor, tensor } from "../../compute/tensor.ts";
import type { DecoderSpec } from "../../model/spec/decoder-spec.ts";
import type { GatedDelta, LayerSpec, Mixer } from "../../model/spec/parts.ts";
import { type CacheData, type CacheType, KeyValueCache, tokenBytes } from "./key-value-cache.ts";

export interface MixerMemory {
  /** Slots for earlier tokens; 0 where these are summed up. */
  readonly capacity: number;
  /** By the names of the mixer's graph. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** Takes what the graph gives for `count` new tokens. */
  take(given: Readonly<Record<string, Tensor>>, count: number): void;
}

/** An empty memory for a batch of sequences, keys and values of a type; undefined where a layer has no mixer. */
export function emptyMemory(
  spec: DecoderSpec,
  { mixer }: LayerSpec,
  batch: number,
  type: CacheType,
): MixerMemory | undefined {
  if (mixer === null) return undefined;
  if (mixer.kind === "attention")
    return new TokenMemory(new KeyValueCache(type, batch, mixer.numKeyValueHeads, spec.headDim));
  return new FixedMemory(stateShapes(spec, mixer, batch));
}

type FixedMixer = Exclude<Mixer, { kind: "attention" }>;

function stateShapes({ hiddenSize }: DecoderSpec, mixer: FixedMixer, batch: number): Record<string, readonly number[]> {
  const before = mixer.kernelSize - 1;
  if (mixer.kind === "short-convolution") return { convolved: [batch, before, hiddenSize] };
  const { numValueHeads, keyHeadDim, valueHeadDim } = mixer;
  return {
    convolved: [batch, before, channelsOf(mixer)],
    recurrent: [batch, numValueHeads, keyHeadDim, valueHeadDim],
  };
}

/** Queries, keys and values. */
const channelsOf = ({ numKeyHeads, keyHeadDim, numValueHeads, valueHeadDim }: GatedDelta): number =>
  2 * numKeyHeads * keyHeadDim + numValueHeads * valueHeadDim;

/** Bytes of what a layer remembers of `length` tokens of one sequence: keys and values of a type, states in f32. */
export function memoryBytes(spec: DecoderSpec, { mixer }: LayerSpec, length: number, type: CacheType): number {
  if (mixer === null) return 0;
  if (mixer.kind === "attention") return tokenBytes(type, mixer.numKeyValueHeads, spec.headDim) * length;
  const shapes = Object.values(stateShapes(spec, mixer, 1));
  return shapes.reduce((sum, shape) => sum + 4 * elementCount(shape), 0);
}

class TokenMemory implements MixerMemory {
  readonly #cache: KeyValueCache;

  constructor(cache: KeyValueCache) {
    this.#cache = cache;
  }

  get capacity(): number {
    return this.#cache.capacity;
  }

  get state(): Record<string, Tensor> {
    return { keys: this.#cache.keys, values: this.#cache.values };
  }

  take({ keys, values }: Readonly<Record<string, Tensor>>, count: number): void {
    this.#cache.append(keys!.data as CacheData, values!.data as CacheData, count);
  }
}

class FixedMemory implements MixerMemory {
  readonly capacity = 0;
  state: Readonly<Record<string, Tensor>>;

  constructor(shapes: Readonly<Record<string, readonly number[]>>) {
    const zeros = (shape: readonly number[]): Tensor => tensor(new Float32Array(elementCount(shape)), shape);
    this.state = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, zeros(shape)]));
  }

  take(given: Readonly<Record<string, Tensor>>): void {
    this.state = given;
  }
}
