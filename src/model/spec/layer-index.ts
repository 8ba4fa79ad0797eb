// The two ways to count decoder layers, which differ once a layer is gone; neither passes for the other.

declare const counted: unique symbol;

/** Index of a layer in the model that it is read from. */
export type LayerIndex = number & { readonly [counted]: "in the source" };

/** Position among the layers that stay: the index in the pruned model. */
export type LayerPosition = number & { readonly [counted]: "among those that stay" };

/** The indices of all layers, in order. */
export const layerIndices = ({ layers }: { readonly layers: readonly unknown[] }): LayerIndex[] => [
  ...(layers.keys() as IterableIterator<LayerIndex>),
];

/** The positions of all layers of a pruned model, in order. */
export const layerPositions = ({ layers }: { readonly layers: readonly unknown[] }): LayerPosition[] => [
  ...(layers.keys() as IterableIterator<LayerPosition>),
];
