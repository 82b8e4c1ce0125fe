package worker

// Cut is what happens to a text for the person.
var Cut = cut
