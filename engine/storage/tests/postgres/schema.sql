-- A spike, not the backend: enough tables to run the contract's core with one round trip a commit.
-- `json`, not `jsonb`, where the text must come back as it was or may hold \u0000; `bytea` for keys that hold NUL.
create table shards (id int primary key, owner text not null default '', fence bigint not null default 0, until bigint);
insert into shards (id) select generate_series(0, 255);
create table events (id text primary key, shard int not null, body json not null, matches json);
create index on events (shard, id) where matches is null;
create table dedupe (shard int, hash text, event text not null, primary key (shard, hash));
create table runs (id text primary key, shard int not null, length bigint not null, data json not null);
create table journal (run text, place bigint, entry json not null, primary key (run, place));
create table timers (run text, path text, kind text, shard int not null, due bigint not null, body json not null, primary key (run, path, kind));
create index on timers (shard, due);
create table records (tab text, key bytea, version bigint not null, value bytea not null, primary key (tab, key));

create function accept(events json) returns table (is_new boolean, event text) language plpgsql as $$
declare e json; first text;
begin
  for e in select * from json_array_elements(events) loop
    is_new := true; event := e->>'id';
    if e->>'dedupe' is not null then
      -- A racing call with the same key waits here for the other's commit; the next statement then sees it.
      insert into dedupe values ((e->>'shard')::int, e->>'dedupe', event) on conflict do nothing;
      if not found then
        select d.event into first from dedupe d where d.shard = (e->>'shard')::int and d.hash = e->>'dedupe';
        is_new := false; event := first; return next; continue;
      end if;
    end if;
    insert into events (id, shard, body) values (event, (e->>'shard')::int, e->'body') on conflict do nothing;
    is_new := found;
    return next;
  end loop;
end $$;

create function write_records(records json) returns void language plpgsql as $$
declare r json; done boolean; k bytea; v bytea;
begin
  for r in select * from json_array_elements(records) loop
    k := decode(r->>'key', 'hex'); v := decode(r->>'value', 'hex');
    case
      when v is null and r->>'expect' = 'any' then
        delete from records where tab = r->>'tab' and key = k; done := true;
      when v is null and r->>'expect' = 'absent' then
        done := not exists (select from records where tab = r->>'tab' and key = k);
      when v is null then
        delete from records where tab = r->>'tab' and key = k and version = (r->>'version')::bigint; done := found;
      when r->>'expect' = 'any' then
        insert into records values (r->>'tab', k, first_version(r->>'tab'), v)
          on conflict (tab, key) do update set version = records.version + 1, value = v; done := true;
      when r->>'expect' = 'absent' then
        insert into records values (r->>'tab', k, first_version(r->>'tab'), v) on conflict do nothing; done := found;
      else
        update records set version = version + 1, value = v
          where tab = r->>'tab' and key = k and version = (r->>'version')::bigint; done := found;
    end case;
    if not done then raise exception 'record % is not as expected', r->>'key' using errcode = 'CW002'; end if;
  end loop;
end $$;

-- The backend needs a floor per table here, as the embedded one has; the contract's core does not ask for it.
create function first_version(tab text) returns bigint language sql as $$ select 1::bigint $$;

create function commit_batch(p_shard int, p_fence bigint, runs_in json, matched json, timers_set json, timers_clear json, records json)
returns void language plpgsql as $$
declare r json; n bigint;
begin
  -- FOR SHARE conflicts with the update in acquire: a shard changes hands between commits, never during one.
  perform from shards where id = p_shard and fence = p_fence and until is not null for share;
  if not found then raise exception 'fenced' using errcode = 'CW001'; end if;
  for r in select * from json_array_elements(runs_in) loop
    n := json_array_length(r->'append');
    if (r->>'expected')::numeric = 0 then
      insert into runs values (r->>'id', p_shard, n, r->'data') on conflict do nothing;
    else
      update runs set length = length + n, data = r->'data' where id = r->>'id' and length = (r->>'expected')::numeric;
    end if;
    if not found then raise exception 'run % has another length', r->>'id' using errcode = 'CW002'; end if;
    insert into journal select r->>'id', (r->>'expected')::bigint + o - 1, e from json_array_elements(r->'append') with ordinality as t(e, o);
  end loop;
  for r in select * from json_array_elements(matched) loop
    update events set matches = r->'matches' where id = r->>'id' and matches is null;
    if not found then raise exception 'event % is not in the inbox', r->>'id' using errcode = 'CW002'; end if;
  end loop;
  insert into timers select t->>'run', t->>'path', t->>'kind', p_shard, (t->>'due')::bigint, t->'body' from json_array_elements(timers_set) t
    on conflict (run, path, kind) do update set due = excluded.due, body = excluded.body;
  delete from timers using json_array_elements(timers_clear) t
    where timers.run = t->>'run' and timers.path = t->>'path' and timers.kind = t->>'kind';
  perform write_records(records);
end $$;
