// Asks for the status once a second while somebody looks, and draws it; events come by themselves. What the supervisor
// says is only ever set as text.
'use strict';

const INTERVAL = 1000; // milliseconds
const KEPT = 120; // measurements in a curve, one a unit of its width
const EVENTS = 200;
const MANY = 60; // cards; of more each is small
const HEIGHT = 40;

const byId = id => document.getElementById(id);
const sections = new Map();
const cards = new Map();

function bytes(count) {
  if (count == null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0;
  while (count >= 1024 && power < units.length - 1) { count /= 1024; power += 1; }
  return `${count.toFixed(power && count < 100 ? 1 : 0)} ${units[power]}`;
}

function age(started) {
  const seconds = Math.max(0, (Date.now() - Date.parse(started)) / 1000);
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(0)} h` : `${(seconds / 86400).toFixed(0)} d`;
}

function setState(element, state) {
  element.textContent = state;
  element.className = `state ${state}`;
}

function made(template) {
  return byId(template).content.firstElementChild.cloneNode(true);
}

class Card {
  constructor(group, slot) {
    this.element = made('worker');
    this.element.querySelector('.group').textContent = `${group}-`;
    this.element.querySelector('.slot').textContent = slot;
    this.element.addEventListener('animationend', () => this.element.classList.remove('new'));
    this.points = [];
    this.memory = {}; // its limits stay where nobody works for a while
    this.part = selector => this.element.querySelector(selector);
  }

  take(worker, others, now) {
    const before = this.points.at(-1);
    const isNew = before !== undefined && before.incarnation !== worker.incarnation;
    if (isNew) {
      this.element.classList.remove('new');
      void this.element.offsetWidth; // begins the animation anew
      this.element.classList.add('new');
    }
    const cpu = before && !isNew && worker.cpu_usage_usec != null && before.cpu != null
      ? (worker.cpu_usage_usec - before.cpu) / (1000 * (now - before.at)) : null;
    this.points.push({at: now, incarnation: worker.incarnation, held: worker.memory?.current, cpu: worker.cpu_usage_usec});
    if (this.points.length > KEPT) this.points.shift();
    this.element.dataset.incarnation = worker.incarnation;
    this.element.dataset.words = `${worker.worker} ${worker.state}`;
    setState(this.part('.state'), worker.state);
    const memory = this.memory = worker.memory ?? this.memory;
    const most = [memory.limit, memory.max].filter(value => value != null);
    this.part('.held').textContent = worker.memory ? bytes(memory.current)
      : worker.pid == null ? 'nothing' : 'memory is not accounted';
    this.part('.bounds').textContent = worker.memory
      ? `${most.length ? ' of ' + most.map(bytes).join(', ') : ''}, peak ${bytes(memory.peak)}` : '';
    const facts = [worker.pid == null ? 'no process' : `PID ${worker.pid}`];
    if (worker.started && worker.pid != null) facts.push(age(worker.started));
    if (cpu != null) facts.push(`CPU ${(100 * cpu).toFixed(0)} %`);
    if (others > 0) facts.push(`${others} on the way out`);
    if (worker.status) facts.push(worker.status);
    this.part('.facts').textContent = facts.join(' · ');
    const {total = 0, ...reasons} = worker.restarts;
    this.part('.again').textContent = total ? ` · ${total} ×` : '';
    this.part('.reasons').textContent = total
      ? `${total} × replaced: ` + Object.entries(reasons).filter(([, count]) => count)
          .map(([reason, count]) => `${reason} ${count}`).join(', ') : '';
    // A small card shows the rest so.
    const [held, bounds, ...rest] = ['.held', '.bounds', '.facts', '.reasons'].map(part => this.part(part).textContent);
    this.element.title = [worker.worker, held + bounds, ...rest].filter(Boolean).join('\n');
    this.draw(memory);
  }

  draw({limit, max, peak}) {
    const held = this.points.map(point => point.held ?? 0);
    const top = 1.1 * Math.max(1, limit ?? 0, max ?? 0, ...held, limit == null && max == null ? peak ?? 0 : 0);
    const y = value => (HEIGHT * (1 - value / top)).toFixed(2);
    const x = index => KEPT - this.points.length + index;
    for (const [name, value] of [['.limit', limit], ['.max', max]]) {
      const line = this.part(name);
      line.style.display = value == null ? 'none' : '';
      if (value != null) { line.setAttribute('y1', y(value)); line.setAttribute('y2', y(value)); }
    }
    let curve = '';
    const births = [];
    this.points.forEach((point, index) => {
      const isBirth = index > 0 && point.incarnation !== this.points[index - 1].incarnation;
      if (isBirth) births.push(x(index) - 0.5);
      curve += `${index === 0 || isBirth ? 'M' : 'L'}${x(index)} ${y(held[index])}`;
    });
    this.part('.curve').setAttribute('d', curve);
    const outline = this.points.map((_, index) => `L${x(index)} ${y(held[index])}`).join('');
    this.part('.area').setAttribute('d', `M${x(0)} ${HEIGHT}${outline}L${x(this.points.length - 1)} ${HEIGHT}Z`);
    this.part('.births').replaceChildren(...births.map(at => {
      const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
      for (const [name, value] of [['x1', at], ['x2', at], ['y1', 0], ['y2', HEIGHT]]) line.setAttribute(name, value);
      return line;
    }));
    this.part('svg').style.display = held.some(Boolean) ? '' : 'none';
    this.part('svg').setAttribute('aria-label', `holds ${bytes(held.at(-1))}`);
  }
}

function section(name) {
  if (!sections.has(name)) {
    const element = made('group');
    element.querySelector('b').textContent = name;
    sections.set(name, element);
    byId('groups').append(element);
  }
  return sections.get(name);
}

function show(report) {
  const now = performance.now();
  const groups = report.groups;
  const sum = key => groups.reduce((total, group) => total + group[key], 0);
  byId('name').textContent = report.name;
  setState(byId('state'), report.state);
  byId('facts').textContent =
    `${sum('ready')} of ${sum('desired')} workers are ready · PID ${report.pid} · ${report.cgroup} · ${report.version}`;
  document.title = `${sum('ready')}/${sum('desired')} ${report.name}`;
  const seen = new Set();
  for (const group of groups) {
    const element = section(group.name);
    setState(element.querySelector('.state'), group.state);
    element.querySelector('.facts').textContent = `${group.ready} of ${group.desired} ready`;
    // Of two incarnations of a slot the later one stays.
    const slots = new Map();
    for (const worker of group.workers) {
      const slot = slots.get(worker.slot) ?? {worker, count: 0};
      slot.count += 1;
      if (worker.incarnation >= slot.worker.incarnation) slot.worker = worker;
      slots.set(worker.slot, slot);
    }
    const place = element.querySelector('.workers');
    for (const {worker, count} of [...slots.values()].sort((one, other) => one.worker.slot - other.worker.slot)) {
      seen.add(worker.worker);
      if (!cards.has(worker.worker)) {
        cards.set(worker.worker, new Card(group.name, worker.slot));
        place.append(cards.get(worker.worker).element);
      }
      cards.get(worker.worker).take(worker, count - 1, now);
    }
  }
  for (const [name, card] of cards) if (!seen.has(name)) { card.element.remove(); cards.delete(name); }
  const names = new Set(groups.map(group => group.name));
  for (const [name, element] of sections) if (!names.has(name)) { element.remove(); sections.delete(name); }
  filter();
}

function filter() {
  const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const {element} of cards.values()) {
    element.hidden = !words.every(word => element.dataset.words.toLowerCase().includes(word));
    if (!element.hidden) shown += 1;
  }
  byId('groups').classList.toggle('small', shown > MANY);
}

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch('/status');
      if (answer.ok) show(await answer.json());
      else away(await answer.text());
    } catch {
      away('the exporter does not answer');
    }
  }
  setTimeout(look, INTERVAL);
}

function away(reason) {
  setState(byId('state'), 'away');
  byId('facts').textContent = reason;
  document.title = 'away';
}

function tell(level, time, text) {
  const item = document.createElement('li');
  item.className = level;
  const when = document.createElement('time');
  when.textContent = time;
  item.append(when, text);
  byId('events').prepend(item);
  while (byId('events').childElementCount > EVENTS) byId('events').lastElementChild.remove();
}

let last = 0;
new EventSource('/events').addEventListener('message', message => {
  const number = Number(message.lastEventId);
  if (last && number > last + 1) tell('warning', '', `${number - last - 1} events came too fast to be shown`);
  last = number;
  const line = JSON.parse(message.data);
  tell(line.level, new Date(line.time).toLocaleTimeString(), line.message);
});
byId('filter').addEventListener('input', filter);
look();
