"""Rewriting rules, tried with -brw."""
import files

CONFIGS = ['*@a.ex $1@b.ex', '*@a.ex $1@b.ex\n*@b.ex $1@c.ex', '*@a.ex $1@b.ex q\n*@b.ex $1@c.ex', '*@a.ex $1@b.ex R\nx@c.ex y@d.ex', '*@a.ex "${if eq{$1}{x}{y@z.ex}fail}"', '*@a.ex "$1 <q@w.ex>" w', '*@a.ex "$1 <q@w.ex>" hw', '*@a.ex *\n*@*.ex gone@z.ex',
           '^(.)(.*)@a\\.ex\\$ $2$1@b.ex', '\\N^x@([^.]*)\\.ex$\\N $1@y.ex', '*@+loc $local_part@in.ex', 'x@a.ex a b', '*@a.ex ${lookup{$1}lsearch{DIR/files/lsearch}{$value@l.ex}fail}', '*@lsearch;DIR/files/domains $1@$0.ex', '@@lsearch;DIR/files/at found@z.ex',
           '*@*.ex ${local_part:$0}@${domain:$0}.more', '*@a.ex $1@b.ex E', '*@a.ex $1@b.ex F', '*@a.ex $1@b.ex T', '*@a.ex $1@b.ex fs', '*@a.ex $1@b.ex tcbr', '*@a.ex $1@b.ex h', '*@a.ex $1@b.ex S', '*@a.ex $1@b.ex Q', '*@a.ex $1 Q', '*@a.ex $1', 'a.ex x@b.ex', 'x@a.ex nosuch${', '*@a.ex ${nosuch:x}@y.ex',
           '*@a.ex :fail:', '*.ex x@y.z', '*@partial-lsearch;DIR/files/wild $1@$2.wild', '*@a.ex $1@b.ex Z', '*@a.ex', '*@a.ex "$1@b.ex', '*@a.ex $domain@$local_part', '*@a.ex $1@b.ex ETfs\n*@b.ex $1@c.ex Ffh', 'lsearch;DIR/files/addresses $0@${domain:$1}', '*@a.ex ""', 'x*@a.ex $1@s.ex', '! x@a.ex n@b.ex', 'x@A.EX y@B.EX', 'X@a.ex y@b.ex']
INPUTS = ['x@a.ex', 'X@A.EX', 'y@a.ex', '"x y"@a.ex', 'x', 'Phrase <x@a.ex>', 'x@b.ex', 'x@sub.a.ex', 'x@in', '<>', 'x@a.ex (comment)', 'x@nosuch', 'a@a.ex', 'x y', '@a.ex', '<x@a.ex>', '"P, Q" <x@a.ex> (c)', 'x@A.ex', 'xabc@a.ex', 'u1@b.c']


def run(both, rng, count):
    files.prepare(both)
    both.write('files/domains', 'a.ex: found\nin: inside\n')
    both.write('files/addresses', 'x@a.ex: first@one.ex\n*@b.ex: second\n')
    for rules in CONFIGS:
        conf = both.write('rewrite.conf', 'primary_hostname = my.ex\nqualify_domain = q.ex\nqualify_recipient = r.ex\nlog_file_path = DIR/spool/%slog\nspool_directory = DIR/spool\n'
                          'domainlist loc = a.ex : *.in\nbegin rewrite\n' + rules + '\n')
        for text in INPUTS:
            both.run('rewrite', ['-C', conf, '-brw', text], label=('%s <- %s' % (rules, text)).encode())
