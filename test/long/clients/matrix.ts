/** What came of each cell, and the table of it. */
import { type Client, type Column, columns } from './client.ts';

interface Cell {
  readonly state: 'ok' | 'failed';
  readonly note: string;
}

export class Matrix {
  readonly #cells = new Map<Client, Map<Column, Cell>>();
  readonly #missing = new Map<Client, string>();

  /** @param note a few words, shown in the cell */
  ok(client: Client, column: Column, note: string): void {
    this.#set(client, column, { state: 'ok', note });
  }

  /** A cell that has failed stays so. */
  failed(client: Client, column: Column): void {
    this.#set(client, column, { state: 'failed', note: '' });
  }

  /** The client could not be had on this machine. */
  missing(client: Client, why: string): void {
    this.#missing.set(client, why);
  }

  /** The table, and below it the reasons of the cells that are not tried. */
  lines(clients: readonly Client[]): string[] {
    const reasons: string[] = [];
    const rows = clients.map((client) => [
      client.name,
      ...columns.map((column) => this.#text(client, column, reasons)),
    ]);
    const table = [['client', ...columns], ...rows];
    const widths = columns.map((_, index) => Math.max(...table.map((row) => row[index + 1]?.length ?? 0)));
    const nameWidth = Math.max(...table.map(([name]) => name?.length ?? 0));
    const drawn = table.map(([name, ...cells]) =>
      [(name ?? '').padEnd(nameWidth), ...cells.map((cell, index) => cell.padEnd(widths[index] ?? 0))]
        .join(' │ ')
        .trimEnd(),
    );
    const rule = '─'.repeat(nameWidth) + widths.map((width) => `─┼─${'─'.repeat(width)}`).join('');
    return [drawn[0] ?? '', rule, ...drawn.slice(1), ...reasons.map((reason, index) => `  ${index + 1} ${reason}`)];
  }

  #set(client: Client, column: Column, cell: Cell): void {
    const cells = this.#cells.get(client) ?? new Map<Column, Cell>();
    this.#cells.set(client, cells);
    if (cells.get(column)?.state !== 'failed') cells.set(column, cell);
  }

  #text(client: Client, column: Column, reasons: string[]): string {
    const cell = this.#cells.get(client)?.get(column);
    if (cell?.state === 'failed') return 'FAILED';
    if (cell !== undefined) return cell.note === '' ? 'ok' : `ok, ${cell.note}`;
    const reason = client.without[column] ?? this.#missing.get(client);
    if (reason === undefined) return 'not run';
    if (!reasons.includes(reason)) reasons.push(reason);
    return `– ${reasons.indexOf(reason) + 1}`;
  }
}
