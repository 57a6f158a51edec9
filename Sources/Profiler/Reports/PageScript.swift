/// The page's script: sorts and filters the table, and describes the dispatch under the pointer in a timeline.
enum PageScript {
    static let text = sorting + timelines

    /// Column heads are buttons: the first press sorts numbers in descending and texts in ascending order, the next
    /// press reverses the order.
    private static let sorting = """
        'use strict';
        for (const table of document.querySelectorAll('table.rows')) {
          const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
          const key = (row, column) => {
            const cell = row.cells[column], value = cell.dataset.v;
            return value === undefined ? cell.textContent : value === '' ? null : Number(value);
          };
          const compare = (a, b) => typeof a === 'number' ? a - b : a.localeCompare(b);
          heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => {
            const numbers = !head.classList.contains('text');
            const before = head.getAttribute('aria-sort');
            const descending = before ? before === 'ascending' : numbers;
            for (const other of heads) other.removeAttribute('aria-sort');
            head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
            const rows = [...body.rows].map(row => [key(row, column), row]);
            rows.sort(([a], [b]) => {
              if (a === null || b === null) return (a === null) - (b === null);
              return descending ? compare(b, a) : compare(a, b);
            });
            body.append(...rows.map(([, row]) => row));
          }));
        }
        const filter = document.getElementById('filter');
        if (filter) filter.addEventListener('input', () => {
          const words = filter.value.toLowerCase().split(' ').filter(word => word);
          let count = 0;
          for (const row of document.querySelectorAll('table.rows tbody tr')) {
            const text = row.textContent.toLowerCase();
            row.hidden = !words.every(word => text.includes(word));
            if (!row.hidden) count += 1;
          }
          document.getElementById('count').textContent = count + (count === 1 ? ' row' : ' rows');
        });

        """

    /// The pointer or the arrow keys select a dispatch; a line below the timeline describes it.
    private static let timelines = """
        const time = ns => {
          const units = ['ns', '\\u00b5s', 'ms', 's'];
          let unit = 0;
          while (Math.abs(ns) >= 999.5 && unit < 3) { ns /= 1000; unit += 1; }
          return (unit === 3 && ns >= 1000 ? ns.toFixed(0) : ns.toPrecision(3)) + ' ' + units[unit];
        };
        for (const timeline of document.querySelectorAll('.timeline')) {
          const data = JSON.parse(timeline.parentElement.querySelector('script').textContent);
          const said = timeline.parentElement.querySelector('.said');
          const lane = timeline.querySelector('.lane'), cursor = document.createElement('div');
          cursor.className = 'cursor';
          let chosen = -1;
          const show = index => {
            if (index < 0 || index >= data.dispatches.length) return;
            chosen = index;
            const [start, length, row, operation, layer] = data.dispatches[index];
            said.textContent = [
              data.layers[layer], data.operations[operation], data.rows[row], time(length), 'at ' + time(start),
            ].join(' \\u00b7 ');
            if (!cursor.parentElement) timeline.append(cursor);
            cursor.style.left = lane.offsetLeft + lane.offsetWidth * (start + length / 2) / data.span + 'px';
          };
          timeline.addEventListener('pointermove', event => {
            const box = lane.getBoundingClientRect();
            const at = (event.clientX - box.left) / box.width * data.span;
            let low = 0, high = data.dispatches.length - 1;
            while (low < high) {
              const middle = (low + high + 1) >> 1;
              if (data.dispatches[middle][0] <= at) low = middle; else high = middle - 1;
            }
            show(low);
          });
          timeline.addEventListener('keydown', event => {
            const last = data.dispatches.length - 1;
            const next = {
              ArrowRight: Math.min(last, chosen + 1), ArrowLeft: Math.max(0, chosen - 1), Home: 0, End: last,
            }[event.key];
            if (next === undefined) return;
            event.preventDefault();
            show(next);
          });
        }

        """
}
