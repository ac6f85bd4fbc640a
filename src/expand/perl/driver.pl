# What the Perl co-process runs: see src/expand/perl/mod.rs for the protocol. The connection comes as standard input.
package Exim;
my $wire;
open($wire, '+<&', 0) or exit 1;
open(STDIN, '<', '/dev/null') or exit 1;

# Text from the connection is not tainted: it is Exim's.
sub _take {
    my ($wanted, $text) = ($_[0], '');
    while (length $text < $wanted) {
        my $n = sysread($wire, $text, $wanted - length $text, length $text);
        next if !defined $n && $!{EINTR};
        exit 0 unless $n;
    }
    return $text =~ /\A(.*)\z/s ? $1 : '';
}

sub _give {
    my ($type, $text) = @_;
    $text = '' unless defined $text;
    utf8::encode($text) if utf8::is_utf8($text);
    my $frame = pack('a1 N', $type, length $text) . $text;
    while (length $frame) {
        my $n = syswrite($wire, $frame);
        next if !defined $n && $!{EINTR};
        exit 0 unless $n;
        substr($frame, 0, $n, '');
    }
}

sub _frame {
    my ($type, $length) = unpack('a1 N', _take(5));
    return ($type, _take($length));
}

sub _call {
    my ($name, @arguments) = unpack('(N/a)*', $_[0]);
    my $result;
    if (!defined &{"main::$name"}) {
        _give('D', "Undefined subroutine &main::$name called.\n");
    } elsif (!eval { $result = &{"main::$name"}(@arguments); 1 }) {
        _give('D', "$@");
    } elsif (defined $result) {
        _give('R', "$result");
    } else {
        _give('U');
    }
}

sub _startup {
    our $ran = 0;
    my $code = $_[0];
    if (defined eval "package main; \$Exim::ran = 1; $code\n; 1") {
        _give('R');
    } else {
        _give('D', $ran ? "$@" : 'Compilation error');
    }
}

sub expand_string {
    _give('X', $_[0]);
    while (1) {
        my ($type, $text) = _frame();
        return $text if $type eq 'V';
        return undef if $type eq 'F';
        if ($type eq 'E') {
            my (undef, $file, $line) = caller;
            die "syntax error in Exim::expand_string argument: $text at $file line $line.\n";
        }
        _call($text) if $type eq 'C';
    }
}

sub log_write { _give('L', $_[0]) }
sub debug_write { _give('G', join '', @_) }

$SIG{__WARN__} = sub { my $text = $_[0]; chomp $text; Exim::log_write($text) };

while (1) {
    my ($type, $text) = _frame();
    if ($type eq 'S') { _startup($text) } elsif ($type eq 'C') { _call($text) } else { exit 1 }
}
