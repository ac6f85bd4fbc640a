# Sieve filter
require ["fileinto", "copy", "envelope", "subaddress", "vacation", "enotify"];

# Lists have folders.
if envelope :detail "to" "list" {
    fileinto "lists";
} elsif envelope :matches :detail "to" "*" {
    fileinto "details";
    keep;
}

if header :contains "Subject" "urgent" {
    notify :importance "1" :message "Look: urgent mail"
           "mailto:pager@test.ex?body=Go%20and%20read%20it.";
    redirect :copy "deputy@test.ex";
} elsif header :contains "Subject" "junk" {
    discard;
} elsif header :contains "Subject" "forward" {
    redirect "deputy@test.ex";
} else {
    vacation :days 3 :addresses "me@elsewhere.ex" :subject "I am away"
text:
I am on holiday until the twelfth; grüß Gott.
A line that is so long that it has to be broken to go through the mail, since quoted-printable wants that.
.
;
}
