// Strings found by where they begin in a text. A node has a map of its own only where strings go on, and characters are UTF-16
// code units: strings are well-formed, so that no match ends inside a character.

interface Node {
  id: number | undefined;
  children: Map<number, Node> | undefined;
}

export class Trie {
  readonly #root: Node = { id: undefined, children: undefined };

  add(text: string, id: number): void {
    let node = this.#root;
    for (let i = 0; i < text.length; i++) {
      node.children ??= new Map();
      const unit = text.charCodeAt(i);
      let child = node.children.get(unit);
      if (child === undefined) {
        child = { id: undefined, children: undefined };
        node.children.set(unit, child);
      }
      node = child;
    }
    node.id ??= id; // the first of two that are the same
  }

  /** Calls back for every string that stands at `start`, shortest first. */
  matchesAt(text: string, start: number, found: (end: number, id: number) => void): void {
    let node: Node | undefined = this.#root;
    for (let i = start; i < text.length; i++) {
      node = node.children?.get(text.charCodeAt(i));
      if (node === undefined) return;
      if (node.id !== undefined) found(i + 1, node.id);
    }
  }
}
